// ReservedForward: a covered request that holds its reservation. It is forwarded, the answer is
// captured, the reservation is settled, and then the client is answered. The forward continues even
// if the client disconnects, and its result is recorded. Not thread-safe: used on its worker's
// loop.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/io/side_task.hpp"

namespace onceproxy::http {

class AnswerRelay;

class ReservedForward {
 public:
  struct Parts {
    gate::Gate& gate;
    UpstreamPool& upstream;
    /// For bodies that the kernel moves.
    io::Pipes& pipes;
    /// For captured answers.
    const BufferBudget::Account& answers;
    const HttpDate& date;
  };
  /// `body`: of the request, decoded. All arguments must outlive it.
  ReservedForward(Exchange& exchange, Client& client, std::string_view body, const Parts& parts)
      : exchange_(exchange),
        request_(exchange.request()),
        client_(client),
        body_(body),
        parts_(parts) {}

  /// Called once. When the task ends, the reservation is settled and the exchange finished.
  Task<void> run(gate::Forward reservation);

 private:
  Task<void> forward_by(UpstreamCall& call, gate::Forward reservation);
  Task<void> send_rest(UpstreamCall& call);
  Task<gate::Outcome> ask_upstream(UpstreamCall& call, AnswerRelay& relay);
  Task<std::optional<gate::Unknown>> read_final_head(UpstreamCall& call, AnswerRelay& relay);
  Task<gate::Outcome> capture(UpstreamCall& call);
  gate::Outcome capture_beginning(UpstreamCall& call, store::NotKept not_kept);
  gate::Answered shed_answer(const UpstreamCall& call);
  /// `not_kept`: the reason why it is incomplete.
  gate::Answered answered(const UpstreamCall& call, bool whole,
                          store::NotKept not_kept = store::NotKept::too_large);
  void write_head(const gate::Forward& reservation);

  Exchange& exchange_;
  Request& request_;
  Client& client_;
  const std::string_view body_;
  const Parts parts_;
  /// The answer's body, up to the limit of the policy or its override.
  std::string captured_;
  std::size_t captured_bytes_max_ = 0;
  std::vector<Field> answer_fields_;
  bool whole_ = false;
  /// Sends the rest of the request while the answer is read.
  io::SideTask sending_;
};

}  // namespace onceproxy::http
