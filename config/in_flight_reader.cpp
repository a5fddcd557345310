#include "config/in_flight_reader.hpp"

#include "config/scalars.hpp"

namespace onceproxy::config {

using namespace std::chrono_literals;
using policies::InFlightRule;

namespace {

void check_in_flight(const Node& node, const InFlightRule& rule) {
  const auto timeout = node.get("timeout");
  const auto action = node.get("action");
  // An action that could not be read may have been `wait`.
  const bool unread = action && action->text() != "reject" && action->text() != "acknowledge";
  if (!timeout || unread || rule.action == InFlightRule::Action::wait) return;
  timeout->problem("only who waits has a timeout; write action: wait, or leave it out");
}

}  // namespace

Kind<InFlightRule> in_flight() {
  using Action = InFlightRule::Action;
  return section<InFlightRule>(
      {"in_flight",
       {key<InFlightRule>("action", &InFlightRule::action,
                          word<Action>({{"reject", Action::reject},
                                        {"wait", Action::wait},
                                        {"acknowledge", Action::acknowledge}}),
                          "What a duplicate of a request under way gets. reject: 409 with "
                          "Retry-After. wait: the first one's result. acknowledge: 202."),
        key<InFlightRule>("timeout", &InFlightRule::timeout, duration(1ms, 5min),
                          "With wait: how long, from 1ms to 5m; then as reject.")}},
      check_in_flight);
}

}  // namespace onceproxy::config
