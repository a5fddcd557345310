// CallReport: what is found out about one request that Envoy tells of, until it is over and told:
// one count in the metrics, one line in the access log, and, where they are switched on, a line of
// the capture and a trace's spans; as for a request of the data port.
// Not thread-safe: its worker's loop.
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

  /// The head is read; all must outlive the report. `setup` serves the request to its end.
  CallReport(const http::RequestHead& head, std::shared_ptr<const http::Setup> setup,
             http::RequestReports& reports);
  CallReport(const CallReport&) = delete;
  CallReport& operator=(const CallReport&) = delete;

  const http::RequestHead& head() const { return head_; }
  const std::shared_ptr<const http::Setup>& setup() const { return setup_; }
  const gate::Rules& rules() const { return *setup_->rules; }
  http::RequestTrace& trace() { return trace_; }
  Clock::time_point began() const { return began_; }
  /// The request's own id, or one that was made.
  std::string_view request_id() const { return id_; }
  bool made_id() const { return !made_id_.empty(); }
  bool to_head() const { return head_.method == "HEAD"; }

  // What the phases find out.
  void covered_by(const policies::Policy& policy) { policy_ = &policy; }
  const policies::Policy* policy() const { return policy_; }
  /// The policy's `respond` holds for what is answered here from now on.
  void answer_as(const policies::Policy& policy) { words_ = &policy; }
  const policies::Policy* words() const { return words_; }
  void would_decide(gate::Decision decision) { shadow_ = decision; }
  void admitted(gate::Admission& admission);
  /// `body` stays valid as long as the report.
  void request_body_is(std::string_view body);
  void came_from(std::string_view client) { client_ = client; }
  /// Envoy's word for where the answer comes from; for log.access_format.
  void code_details(std::string_view details) { code_details_ = details; }
  void refused(std::string_view reason) { reports_.refused(reason); }

  /// Envoy is told to forward the request, and will tell of its answer.
  void forwarded();
  /// The head of the service's answer is there; 0: there is none. Nothing where it was not
  /// forwarded().
  void answered(int status, bool timed_out);
  void answer_bytes(std::size_t bytes) { response_bytes_ += bytes; }
  /// All of it was heard.
  void answer_whole();

  gate::Decision unreserved() const {
    return shadow_ ? gate::Decision::forwarded : gate::Decision::passed;
  }
  gate::Decided decided(gate::Decision decision) const { return {decision, shadow_}; }

  /// The request is over. Once; what ends without it ends as `passed`, with an error.
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
