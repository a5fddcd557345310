// Covered: a request that a policy covers, or may cover once its body is known. Its body is
// buffered (bounded), the gate decides, and what is forwarded is settled before the client is
// answered. Once a reservation is held, nothing the client does stops the forward: its result is
// recorded. Not thread-safe: its worker's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/exchange.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/io/side_task.hpp"

namespace onceproxy::http {

class AnswerRelay;

class Covered {
 public:
  Covered(Exchange& exchange, const std::vector<const policies::Policy*>& candidates)
      : exchange_(exchange),
        client_(exchange.client),
        worker_(exchange.worker),
        candidates_(candidates) {}
  Task<void> run();

 private:
  bool only_watched() const;
  void watch_unread();
  std::optional<BadHead> check_head() const;
  bool take_body();
  Task<std::optional<BadHead>> collect_body();
  Task<void> forward(gate::Forward reservation);
  Task<void> forward_by(UpstreamCall& call, gate::Forward reservation);
  Task<void> send_rest(UpstreamCall& call);
  Task<gate::Outcome> ask_upstream(UpstreamCall& call, AnswerRelay& relay);
  Task<std::optional<gate::Unknown>> read_final_head(UpstreamCall& call, AnswerRelay& relay);
  Task<gate::Outcome> capture(UpstreamCall& call);
  BadHead shed_body();
  gate::Answered shed_answer(const UpstreamCall& call);
  /// `not_kept`: why it is not whole.
  gate::Answered answered(const UpstreamCall& call, bool whole,
                          store::NotKept not_kept = store::NotKept::too_large);
  void write_head(const gate::Forward& reservation);

  Exchange& exchange_;
  ClientConnection& client_;
  Worker& worker_;
  const std::vector<const policies::Policy*>& candidates_;
  /// The whole body, decoded; views the client's buffer or `collected_`.
  std::string_view body_;
  std::string collected_;
  /// Reads a body that did not come whole with its head.
  std::optional<BodyReader> reader_;
  /// The answer's body, as much as the policy, or the override that applies, keeps.
  std::string captured_;
  std::size_t captured_bytes_max_ = 0;
  std::vector<Field> answer_fields_;
  bool whole_ = false;
  /// What is left of the request is sent beside the reading of the answer.
  io::SideTask sending_;
};

}  // namespace onceproxy::http
