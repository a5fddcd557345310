// Exchange: one request and its answer. It keeps what the steps of the request find out, writes
// onceproxy's own answers, and makes sure that each way out leaves exactly one line in the access
// log and one count in the metrics. It chooses no way: dispatcher.hpp does.
// Not thread-safe: its worker's loop.
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

  /// The request's head is in `memory`, and began to arrive at `began`. It is served by `setup`,
  /// whatever is loaded meanwhile. All that is passed by reference must outlive the exchange.
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
  /// The value of a Date field now.
  std::string_view date() const { return date_.text(); }

  // What the steps find out.
  /// This policy covers the request, or decides about it as if it did.
  void covered_by(const policies::Policy& policy) { policy_ = &policy; }
  /// nullptr: none does, as far as is known.
  const policies::Policy* policy() const { return policy_; }
  telemetry::PolicyId policy_id() const;
  /// The policy's `respond`, or that of its override, holds for what onceproxy answers from now on.
  void answer_as(const policies::Policy& policy) { words_ = &policy; }
  /// The policy is in shadow mode: this is what it would have decided.
  void would_decide(gate::Decision decision) { shadow_ = decision; }
  /// What the gate found out about the operation. Takes the error out of `admission`.
  void admitted(gate::Admission& admission);
  /// So many bytes of the request's body were read, decoded.
  void add_request_bytes(std::size_t bytes) { request_bytes_ += bytes; }
  /// All of them were; `body` stays valid as long as the exchange.
  void request_body_is(std::string_view body);
  /// The service's answer was read whole, and its body has so many bytes.
  void answer_body_has(std::size_t bytes) { answer_body_bytes_ = bytes; }
  /// The forward as it is now. The first time, it is counted, and its status stands.
  void note_upstream(const ForwardRecord& forward);
  /// The client closed the connection before all was sent to it, or received from it.
  void client_left() {
    if (notes_) notes_->client_left = true;
  }
  /// `head` was written to the client, or is about to be: for the access log.
  void answer_head_is(std::string_view head) {
    if (notes_) notes_->keep_answer_head(head);
  }
  /// The connection carries no other request.
  void close_behind() { keep_alive_ = false; }
  /// Whether it may.
  bool connection_goes_on() const { return keep_alive_ && !client_.ends_soon(); }

  // For heads.
  /// Of a request that goes on without a reservation.
  gate::Decision unreserved() const {
    return shadow_ ? gate::Decision::forwarded : gate::Decision::passed;
  }
  ClientSide client_side() const;
  /// Of a covered request's answer.
  DecisionFields decision_fields(gate::Decision decision,
                                 std::chrono::nanoseconds service_time) const;
  /// What a covered request carries to the upstream, but for a reservation's fields.
  CoveredFields covered_fields(std::size_t body_bytes) const;

  // The ways out; one of them is taken, once.
  /// Sends an answer of onceproxy's own and finishes. `error`, for the log, must stay valid.
  Task<void> answer(gate::Decision decision, gate::Answer answer, std::string_view error = "");
  /// The same for a request that was forwarded without success.
  Task<void> fail(const gate::NotSent& not_sent);
  Task<void> fail(const gate::Unknown& unknown);
  /// The same for a request that is malformed, or not taken; the connection ends behind it.
  Task<void> refuse(const BadHead& why);
  /// The answer went to the client, as far as it did: logs and counts.
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
  /// For the log: why the operation could not be named. Empty where it could.
  std::string unnamed_;
  std::uint64_t request_bytes_ = 0;
  std::optional<std::string_view> whole_body_;
  std::optional<std::uint64_t> answer_body_bytes_;
  ForwardRecord forward_;
  /// nullptr: log.access_format is not configured.
  std::unique_ptr<AccessNotes> notes_;
  bool keep_alive_;
};

}  // namespace onceproxy::http
