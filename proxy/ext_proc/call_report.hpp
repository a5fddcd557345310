// CallReport: collects what is found out about one request from Envoy and reports it at the end: in
// the metrics, in the access log and, if they are enabled, in the capture and the trace. The
// reports are the same as for a request of the data port. Not thread-safe: used on its worker's
// loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/request_reports.hpp"
#include "proxy/http/request_trace.hpp"
#include "proxy/http/setup.hpp"

namespace onceproxy::ext_proc {

class CallReport {
 public:
  using Clock = std::chrono::steady_clock;

  /// The head has been read; all arguments must outlive the report. `setup` is used for the whole
  /// request.
  CallReport(const http::RequestHead& head, std::shared_ptr<const http::Setup> setup,
             http::RequestReports& reports);
  CallReport(const CallReport&) = delete;
  CallReport& operator=(const CallReport&) = delete;

  const http::RequestHead& head() const { return head_; }
  const std::shared_ptr<const http::Setup>& setup() const { return setup_; }
  const gate::Rules& rules() const { return *setup_->rules; }
  http::RequestTrace& trace() { return trace_; }
  Clock::time_point began() const { return began_; }
  /// The id of the request, or a generated one.
  std::string_view request_id() const { return id_; }
  bool made_id() const { return !made_id_.empty(); }
  bool to_head() const { return head_.method == "HEAD"; }

  // The facts that the phases find out.
  void covered_by(const policies::Policy& policy) { policy_ = &policy; }
  const policies::Policy* policy() const { return policy_; }
  /// From now on the policy's `respond` is used for answers made here.
  void answer_as(const policies::Policy& policy) { words_ = &policy; }
  const policies::Policy* words() const { return words_; }
  void would_decide(gate::Decision decision) { shadow_ = decision; }
  void admitted(gate::Admission& admission);
  /// `body` must stay valid as long as the report, or until drop_body().
  void request_body_is(std::string_view body);
  /// The report does without the body, except for its size.
  void drop_body() { body_.reset(); }
  void came_from(std::string_view client) { client_ = client; }
  /// Envoy's description of where the answer was made; for log.access_format.
  void code_details(std::string_view details) { code_details_ = details; }
  void refused(std::string_view reason) { reports_.refused(reason); }

  /// Envoy is told to forward the request, and will send its answer.
  void forwarded();
  /// The head of the service's answer has arrived; 0: there is no answer. It has no effect without
  /// forwarded().
  void answered(int status, bool timed_out);
  void answer_bytes(std::size_t bytes) { response_bytes_ += bytes; }
  /// The whole answer has arrived.
  void answer_whole();

  gate::Decision unreserved() const {
    return shadow_ ? gate::Decision::forwarded : gate::Decision::passed;
  }
  gate::Decided decided(gate::Decision decision) const { return {decision, shadow_}; }

  /// Reports the request; only the first call has an effect. It is not called if an unexpected
  /// exception ends the stream, which the gRPC server logs and counts.
  void finish(gate::Decision decision, int status, std::string_view error = "");
  bool finished() const { return finished_; }

 private:
  const http::RequestHead& head_;
  const std::shared_ptr<const http::Setup> setup_;
  http::RequestReports& reports_;
  http::RequestTrace trace_;
  const Clock::time_point began_ = Clock::now();
  std::string made_id_;
  std::string_view id_;
  std::string client_;
  std::string code_details_;
  const policies::Policy* policy_ = nullptr;
  const policies::Policy* words_ = nullptr;
  std::optional<store::Fingerprint> fingerprint_;
  std::optional<gate::Decision> shadow_;
  std::string unnamed_;
  std::optional<std::string_view> body_;
  std::uint64_t request_bytes_ = 0;
  std::uint64_t response_bytes_ = 0;
  bool answer_whole_ = false;
  http::ForwardRecord forward_;
  bool finished_ = false;
};

}  // namespace onceproxy::ext_proc
