// AnswerPhase: from the moment Envoy was told to forward a request that holds a reservation: the
// answer is heard, the reservation is settled, and only then does Envoy get the end of the answer.
// Not thread-safe: its worker's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/ext_proc/answers_kept.hpp"
#include "proxy/ext_proc/call_report.hpp"
#include "proxy/ext_proc/talk.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/http_date.hpp"
#include "store/lease_watch.hpp"

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
  /// All must outlive it.
  AnswerPhase(const Parts& parts, Talk& talk, CallReport& report, gate::Forward reservation);

  /// Until the stream is over; the request is reported by then. Once.
  Task<void> run();

 private:
  enum class Body {
    whole,         ///< its end was heard and waits for its reply
    not_kept,      ///< it is not kept any more; what was heard last waits for its reply
    cut_off,       ///< Envoy told no end
    out_of_phase,  ///< another message came instead
  };

  Task<void> service_answered(bool end_of_stream);
  Task<void> envoy_answered(Origin origin, std::string_view why);
  Task<void> never_answered(std::string_view why);

  bool keeps_body();
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

  std::string head_text_;
  http::ResponseHead head_;
  std::vector<http::Field> fields_;
  std::string body_;
  store::NotKept why_not_kept_ = store::NotKept::too_large;
  std::optional<AnswersKept::Part> part_;
  /// Hears of the reservation's lease until it is settled.
  std::shared_ptr<store::LeaseWatch> cut_;
};

}  // namespace onceproxy::ext_proc
