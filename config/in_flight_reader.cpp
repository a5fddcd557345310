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
  timeout->problem("has an effect only with action: wait; write that, or leave the timeout out");
}

}  // namespace

Kind<InFlightRule> in_flight() {
  using Action = InFlightRule::Action;
  return section<InFlightRule>(
      {"in_flight",
       {key<InFlightRule>(
            "action", &InFlightRule::action,
            word<Action>({{"reject", Action::reject},
                          {"wait", Action::wait},
                          {"acknowledge", Action::acknowledge}}),
            "How a duplicate of a request under way is answered. reject: 409 with Retry-After. "
            "wait: with the result of the first request. acknowledge: 202."),
        key<InFlightRule>(
            "timeout", &InFlightRule::timeout, duration(1ms, 5min),
            "With wait: how long a duplicate waits. After that it is answered as with reject.")},
       {},
       {},
       "action"},
      check_in_flight);
}

}  // namespace onceproxy::config
