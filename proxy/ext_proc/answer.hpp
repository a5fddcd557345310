// AnswerPhase: handles the answer of a forwarded request that holds a reservation. It reads the
// answer from Envoy and settles the reservation. Only then does it let the end of the answer pass.
// Not thread-safe: used on its worker's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/ext_proc/answers_kept.hpp"
#include "proxy/ext_proc/call_report.hpp"
#include "proxy/ext_proc/grpc_answer.hpp"
#include "proxy/ext_proc/lease_cut.hpp"
#include "proxy/ext_proc/talk.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/http_date.hpp"

namespace onceproxy::ext_proc {

using io::Task;

class AnswerPhase {
 public:
  struct Parts {
    gate::Gate& gate;
    store::Loop& loop;
    const http::HttpDate& date;
    AnswersKept& answers;
  };
  /// All members must outlive the object. `lease`: watches the reservation's lease, or
  /// nullptr.
  AnswerPhase(const Parts& parts, Talk& talk, CallReport& report, gate::Forward reservation,
              std::shared_ptr<LeaseCut> lease);

  /// Runs until the stream is over; the request has then been reported. Called once.
  Task<void> run();

 private:
  enum class Body {
    whole,         ///< the end has been received, and its reply is pending
    not_kept,      ///< it is no longer stored; the reply to the last message is pending
    cut_off,       ///< Envoy sent no end
    out_of_phase,  ///< another message was received instead
  };

  Task<void> service_answered(bool end_of_stream);
  Task<void> envoy_answered(Origin origin, std::string_view why);
  Task<void> never_answered(std::string_view why);

  bool keeps_body();
  bool is_grpc() const { return grpc_ == GrpcKind::grpc && head_.status == ok; }
  int outcome_status();
  bool take(std::string_view data);
  Task<void> collect_and_settle();
  Task<Body> collect();
  Task<void> cut_off();
  gate::Answered answered(bool whole, store::NotKept why);
  Task<gate::Settlement> settle(const gate::Outcome& outcome);

  Task<void> answer_instead(gate::Settlement settlement, std::string_view error);
  Task<void> let_head_go_on(gate::Decision decision, std::string_view error = "");
  Task<void> let_the_rest_go_on(gate::Decision decision, std::string_view error = "");

  const Parts parts_;
  Talk& talk_;
  CallReport& report_;
  std::optional<gate::Forward> reservation_;
  const policies::Policy& policy_;
  const bool watched_;

  static constexpr int ok = 200;

  std::string head_text_;
  http::ResponseHead head_;
  GrpcKind grpc_ = GrpcKind::none;
  std::vector<http::Field> fields_;
  std::string body_;
  store::NotKept why_not_kept_ = store::NotKept::too_large;
  std::optional<AnswersKept::Part> part_;
  /// Watches until the reservation is settled.
  std::shared_ptr<LeaseCut> lease_;
};

}  // namespace onceproxy::ext_proc
