// Exchange: one request and its answer. It decides which way the request goes (covered.hpp or
// passing.hpp) and makes sure that each way out leaves exactly one line in the access log and one
// count in the metrics.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/request_view.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/client_connection.hpp"
#include "proxy/http/head_writer.hpp"
#include "proxy/http/request_trace.hpp"
#include "proxy/http/setup.hpp"

namespace onceproxy::http {

class UpstreamCall;

class Exchange {
 public:
  using Clock = std::chrono::steady_clock;

  Exchange(ClientConnection& client, Clock::time_point began);

  /// The request's head is in `client.head`. True: the connection may carry another request.
  Task<bool> run();

  ClientConnection& client;
  Worker& worker;
  /// The one it began with, whatever is loaded meanwhile.
  const std::shared_ptr<const Setup> setup;
  const gate::Rules* const rules;
  policies::RequestView view;
  /// Set once a policy is known to cover the request.
  const policies::Policy* policy = nullptr;
  std::optional<store::Fingerprint> fingerprint;
  /// What would have been decided, where the policy only watches.
  std::optional<gate::Decision> shadow;
  /// Whose `respond` holds for what onceproxy answers: the policy's, or its override's; nullptr:
  /// nobody's.
  const policies::Policy* words = nullptr;
  /// The client's, or one that was made.
  std::string_view request_id;
  /// For the log: why the operation could not be named. Empty where it could.
  std::string unnamed;
  RequestTrace trace;
  /// Of the request's body, decoded; for the log.
  std::uint64_t request_bytes = 0;
  /// The request's body where it was read whole: valid as long as the exchange. For the capture.
  std::optional<std::string_view> whole_body;
  /// Of the service's answer, where its body was read whole. For the capture.
  std::optional<std::uint64_t> answer_body_bytes;
  /// Whether the connection may go on behind the answer.
  bool keep_alive;

  /// Counts the policies that nearly cover the request, which none covers.
  void look_for_near_misses();
  /// Takes the head off the client's buffer; what follows there is body. The head stays valid.
  void begin_body();
  /// Moves the head out of the buffer. Called before more is read into it.
  void keep_head();

  const Options& options() const { return setup->options; }
  telemetry::PolicyId policy_id() const;
  /// Of a request that goes on without a reservation.
  gate::Decision unreserved() const {
    return shadow ? gate::Decision::forwarded : gate::Decision::passed;
  }
  ClientSide client_side() const;
  CertificateField certificate_field() const;
  ForwardedFields forwarded_fields() const;
  void hide_certificate_claims();
  /// What a covered request carries to the upstream, but for a reservation's fields.
  CoveredFields covered_fields(std::size_t body_bytes) const;

  /// Sends an answer of onceproxy's own and finishes.
  /// `call`: the one that failed, if there was one.
  Task<void> answer(gate::Decision decision, gate::Answer answer, std::string_view error = "",
                    const UpstreamCall* call = nullptr);
  /// The same for a request that is malformed, or not taken; the connection ends behind it.
  Task<void> refuse(const BadHead& why);
  /// Logs and counts. Called once.
  void finish(gate::Decision decision, int status, std::uint64_t response_bytes,
              std::string_view error = "", const UpstreamCall* call = nullptr);

 private:
  void capture(gate::Decision decision, int status, std::uint64_t response_bytes,
               std::chrono::nanoseconds duration, const UpstreamCall* call) const;
  void see_head();
  void see_request_id();
  std::optional<BadHead> read_path();
  std::string_view origin() const;
  const policies::Cors* cors_of(const policies::Policy* covering) const;
  const policies::Policy* preflighted() const;
  Task<void> answer_preflight(const policies::Policy& covering);

  const Clock::time_point began_;
  const char* head_begin_ = nullptr;
  /// What `view.headers` shows where Connection drops some of the head's fields.
  std::vector<Field> delivered_;
  std::string kept_head_;
  std::string made_request_id_;
};

/// Whether a request asks to switch to WebSocket (RFC 6455 4.1). Other upgrades are not forwarded:
/// h2c would carry requests past every policy.
bool wants_websocket(const RequestHead& head);

}  // namespace onceproxy::http
