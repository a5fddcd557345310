// Exchange: one request and its answer. It records what the steps of the request find out, and
// writes onceproxy's own answers. It ensures that each request causes exactly one line in the
// access log and is counted exactly once. It does not choose the steps; dispatcher.hpp does. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/gate/gate.hpp"
#include "proxy/http/access_notes.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/forward_record.hpp"
#include "proxy/http/head_writer.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/request.hpp"
#include "proxy/http/request_reports.hpp"
#include "proxy/http/request_trace.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http {

using io::Task;

class Exchange {
 public:
  using Clock = std::chrono::steady_clock;

  /// The request's head is in `memory`, and began to arrive at `began`. `setup` is used for the
  /// whole request, even if a reload happens meanwhile. All arguments that are passed by reference
  /// must outlive the exchange.
  Exchange(Client& client, RequestMemory& memory, std::shared_ptr<const Setup> setup,
           Clock::time_point began, RequestReports& reports, const HttpDate& date);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request& request() { return request_; }
  const std::shared_ptr<const Setup>& setup() const { return setup_; }
  const Options& options() const { return setup_->options; }
  const gate::Rules& rules() const { return *setup_->rules; }
  Clock::time_point began() const { return began_; }
  RequestTrace& trace() { return trace_; }
  /// The current value of the Date field.
  std::string_view date() const { return date_.text(); }

  // The results of the steps.
  /// This policy covers the request, or decides about it.
  void covered_by(const policies::Policy& policy) { policy_ = &policy; }
  /// nullptr if no policy is known to cover it.
  const policies::Policy* policy() const { return policy_; }
  telemetry::PolicyId policy_id() const;
  /// From now on the `respond` of the policy, or of its override, is used for onceproxy's answers.
  void answer_as(const policies::Policy& policy) { words_ = &policy; }
  /// The policy is in shadow mode; this would have been its decision.
  void would_decide(gate::Decision decision) { shadow_ = decision; }
  /// Takes the gate's results about the operation. Moves the error out of `admission`.
  void admitted(gate::Admission& admission);
  /// This many bytes of the request's body have been read and decoded.
  void add_request_bytes(std::size_t bytes) { request_bytes_ += bytes; }
  /// The whole body has been read; `body` stays valid as long as the exchange.
  void request_body_is(std::string_view body);
  /// The service's answer has been read completely; its body has this size.
  void answer_body_has(std::size_t bytes) { answer_body_bytes_ = bytes; }
  /// The current state of the forward. The first call counts it and keeps its status.
  void note_upstream(const ForwardRecord& forward);
  /// The client closed the connection before the exchange was complete.
  void client_left() {
    if (notes_) notes_->client_left = true;
  }
  /// `head` was written to the client, or is about to be; for the access log.
  void answer_head_is(std::string_view head) {
    if (notes_) notes_->keep_answer_head(head);
  }
  /// The connection is closed after this exchange.
  void close_behind() { keep_alive_ = false; }
  /// Whether the connection may stay open.
  bool connection_goes_on() const { return keep_alive_ && !client_.ends_soon(); }

  // For heads.
  /// For a request that is forwarded without a reservation.
  gate::Decision unreserved() const {
    return shadow_ ? gate::Decision::forwarded : gate::Decision::passed;
  }
  ClientSide client_side() const;
  /// For the answer to a covered request.
  DecisionFields decision_fields(gate::Decision decision,
                                 std::chrono::nanoseconds service_time) const;
  /// The fields of a covered request for the upstream, except those of a reservation.
  CoveredFields covered_fields(std::size_t body_bytes) const;

  // The ends of an exchange; exactly one of them is called, once.
  /// Sends an answer of onceproxy's own and finishes. `error` is for the log and must stay valid.
  Task<void> answer(gate::Decision decision, gate::Answer answer, std::string_view error = "");
  /// The same for a request whose forward failed.
  Task<void> fail(const gate::NotSent& not_sent);
  Task<void> fail(const gate::Unknown& unknown);
  /// The same for a request that is malformed or not supported; the connection is closed
  /// afterwards.
  Task<void> refuse(const BadHead& why);
  /// The answer was sent to the client, as far as possible: logs and counts.
  void finish(gate::Decision decision, int status, std::uint64_t response_bytes,
              std::string_view error = "");

 private:
  Client& client_;
  const std::shared_ptr<const Setup> setup_;
  Request request_;
  RequestReports& reports_;
  const HttpDate& date_;
  RequestTrace trace_;
  const Clock::time_point began_;

  const policies::Policy* policy_ = nullptr;
  const policies::Policy* words_ = nullptr;
  std::optional<store::Fingerprint> fingerprint_;
  std::optional<gate::Decision> shadow_;
  /// For the log: the reason why the operation could not be determined; otherwise empty.
  std::string unnamed_;
  std::uint64_t request_bytes_ = 0;
  std::optional<std::string_view> whole_body_;
  std::optional<std::uint64_t> answer_body_bytes_;
  ForwardRecord forward_;
  /// nullptr if log.access_format is not configured.
  std::unique_ptr<AccessNotes> notes_;
  bool keep_alive_;
};

}  // namespace onceproxy::http
