#include "config/in_flight_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

TEST_CASE("A single word for a map is told as the map") {
  CHECK(policy_problems("in_flight: wait") ==
        Texts{"in_flight: expected a map, found \"wait\"; did you mean {action: wait}?"});
  CHECK(policy_problems("enforcement: shadow") ==
        Texts{"enforcement: expected a map, found \"shadow\"; did you mean {mode: shadow}?"});
  CHECK(problems("telemetry: 127.0.0.1:0") ==
        Texts{"telemetry: expected a map, found \"127.0.0.1:0\"; did you mean {listen: "
              "127.0.0.1:0}?"});
}

TEST_CASE("A duplicate of a request under way is refused, waits, or is acknowledged") {
  using Action = policies::InFlightRule::Action;
  CHECK(loaded_policy("").in_flight.action == Action::reject);
  CHECK(loaded_policy("in_flight: {action: acknowledge}").in_flight.action == Action::acknowledge);
  CHECK(loaded_policy("in_flight: {action: wait}").in_flight.timeout == 10s);
  const auto rule = loaded_policy("in_flight: {action: wait, timeout: 5m}").in_flight;
  CHECK(rule.action == Action::wait);
  CHECK(rule.timeout == 5min);
}

TEST_CASE("Only who waits has a timeout, and it has bounds") {
  const Texts useless{
      "in_flight.timeout: has an effect only with action: wait; write that, or leave the timeout "
      "out"};
  CHECK(policy_problems("in_flight: {timeout: 5s}") == useless);
  CHECK(policy_problems("in_flight: {action: reject, timeout: 5s}") == useless);
  CHECK(policy_problems("in_flight: {action: acknowledge, timeout: 5s}") == useless);
  CHECK(
      policy_problems("in_flight: {action: wiat, timeout: 5s}") ==
      Texts{"in_flight.action: expected reject, wait or acknowledge, found \"wiat\"; did you mean "
            "\"wait\"?"});
  CHECK(policy_problems("in_flight: {action: wait, timeout: 0ms}") ==
        Texts{"in_flight.timeout: must be from 1ms to 5m, found \"0ms\""});
  CHECK(policy_problems("in_flight: {action: wait, timeout: 6m}").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
