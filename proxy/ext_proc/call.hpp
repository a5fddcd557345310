// Call: one request that Envoy asks about, from its head to the end of its answer, over one stream
// of messages. README.md describes the phases. The gate decides, as for the data port, and Envoy
// forwards.
//
// If a request cannot be handled, the stream ends with an error, so that Envoy does not let the
// request pass. If the stream ends after Envoy was told to forward, the outcome is unknown. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/document.hpp"
#include "proxy/ext_proc/answers_kept.hpp"
#include "proxy/ext_proc/arenas.hpp"
#include "proxy/ext_proc/call_report.hpp"
#include "proxy/ext_proc/lease_cut.hpp"
#include "proxy/ext_proc/talk.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/grpc/stream.hpp"
#include "proxy/http/coverage.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/near_misses.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::ext_proc {

using io::Task;

class Call {
 public:
  /// Shared by a worker's calls; all members must outlive them.
  struct Parts {
    gate::Gate& gate;
    store::Loop& loop;
    const http::HttpDate& date;
    http::RequestReports& reports;
    telemetry::WorkerMetrics& metrics;
    http::NearMisses& near_misses;
    AnswersKept& answers;
    Arenas& arenas;
    /// The upstream's turns, if the number of requests under way is limited; otherwise nullptr.
    http::UpstreamPool* upstream = nullptr;
  };

  Call(const Parts& parts, std::shared_ptr<const http::Setup> setup, grpc::ServerStream& stream)
      : parts_(parts), setup_(std::move(setup)), talk_(stream, parts.arenas) {}

  /// Serves the stream to its end. Called once.
  Task<void> run();

 private:
  using Candidates = http::Coverage::Candidates;

  const http::Options& options() const { return setup_->options; }
  bool wants_websocket() const;

  // Before the gate.
  Task<void> serve_without_head();
  bool only_watches() const;
  std::optional<http::BadHead> read_head();
  Task<void> may_be_covered(const Candidates& candidates);
  bool served_as_configured(const http::Coverage& coverage);
  Task<bool> collect_body(const http::Coverage& coverage);
  Origin answer_origin();
  Task<void> answered_before_body(const http::Coverage& coverage);
  void drop_body();
  Task<void> decide(const http::Coverage& coverage);
  Task<gate::Admission> ask_gate(policies::Document& document, const gate::Asking& asking,
                                 bool& turns);
  Task<void> refuse(const http::Coverage* coverage, const http::BadHead& why);
  Task<void> watch_unread(const http::Coverage& coverage);
  std::chrono::milliseconds wait_max() const;
  Task<void> answer(gate::Decision decision, gate::Answer answer, std::string_view error = "");
  void begin_answer();
  Task<void> pass(gate::Decision decision);
  Task<void> let_the_rest_go_on(gate::Decision decision);
  Task<void> let_go_on_as(gate::Decision decision, int& status);

  // With a reservation.
  Task<bool> take_turns(const gate::Forward& reservation);
  Task<void> forward(gate::Forward reservation);
  void write_fields(const gate::Forward* reservation, ProcessingResponse& reply);
  Task<void> give_up(gate::Forward reservation, const gate::Outcome& outcome,
                     std::string_view error);

  const Parts parts_;
  const std::shared_ptr<const http::Setup> setup_;
  Talk talk_;
  std::optional<CallReport> report_;

  // The request.
  std::string head_text_;
  http::RequestHead head_;
  std::string path_memory_;
  std::vector<http::Field> delivered_;
  policies::RequestView view_;
  std::string body_;
  /// Whether Envoy sends the answer.
  bool asked_ = false;
  /// Watches the reservation's lease until it is settled; nullptr if it cannot end, or if the
  /// policy is in shadow mode.
  std::shared_ptr<LeaseCut> lease_;
  std::optional<http::UpstreamPool::Turn> policy_turn_;
  std::optional<http::UpstreamPool::Turn> turn_;
};

}  // namespace onceproxy::ext_proc
