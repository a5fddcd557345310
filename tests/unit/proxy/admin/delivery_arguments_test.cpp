#include "proxy/admin/delivery_arguments.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::admin {
namespace {

using Catch::Matchers::Contains;
using store::DeliveryState;

const store::WallTime now{std::chrono::hours(1'000)};

tl::expected<DeliveryQuery, std::string> parsed(
    const std::multimap<std::string, std::string>& arguments) {
  return parse_delivery_query(arguments, now);
}

TEST_CASE("Deliveries are asked for by event, listener, policy, states and times",
          "[delivery_arguments]") {
  const std::string event(64, 'a');
  const auto query = parsed({{"event", event},
                             {"listener", "billing"},
                             {"policy", "dispatch"},
                             {"state", "dead,PENDING"},
                             {"since", "1h"},
                             {"until", "5m"},
                             {"limit", "7"},
                             {"cursor", "42/billing"}});
  REQUIRE(query);
  CHECK(query->filter.event->hex() == event);
  CHECK(query->filter.listener == "billing");
  CHECK(query->filter.policy == "dispatch");
  CHECK(query->filter.states == std::vector{DeliveryState::dead, DeliveryState::pending});
  CHECK(query->filter.since == now - std::chrono::hours(1));
  CHECK(query->filter.until == now - std::chrono::minutes(5));
  CHECK(query->limit == 7);
  CHECK(query->after == store::DeliveryKey{42, "billing"});
}

TEST_CASE("Undelivered is every state but notified, and held a part of failed",
          "[delivery_arguments]") {
  const auto undelivered = parsed({{"state", "undelivered"}});
  REQUIRE(undelivered);
  CHECK(undelivered->filter.states.size() == 5);
  CHECK(std::ranges::find(undelivered->filter.states, DeliveryState::notified) ==
        undelivered->filter.states.end());
  const auto held = parsed({{"state", "held"}});
  REQUIRE(held);
  CHECK(held->held);
  CHECK(held->filter.states == std::vector{DeliveryState::failed});
}

TEST_CASE("A wrong argument is refused with what would be right", "[delivery_arguments]") {
  struct Case {
    std::string name, value, error;
  };
  const Case cases[] = {{"event", "abc", "64 hexadecimal digits"}, {"state", "lost", "undelivered"},
                        {"since", "soon", "an age such as 5m"},    {"limit", "0", "from 1 to 1000"},
                        {"limit", "1001", "from 1 to 1000"},       {"cursor", "42", "`next`"},
                        {"cursor", "x/billing", "`next`"},         {"color", "red", "unknown"}};
  for (const Case& each : cases) {
    const auto query = parsed({{each.name, each.value}});
    INFO(each.name << "=" << each.value);
    REQUIRE_FALSE(query);
    CHECK_THAT(query.error(), Contains(each.error));
  }
  CHECK_FALSE(parsed({{"limit", "1"}, {"limit", "2"}}));
}

TEST_CASE("A delivery is its event's number and its listener", "[delivery_arguments]") {
  const store::DeliveryKey key{18'446'744'073'709'551'615U, "a.b-c_d"};
  CHECK(text_of(key) == "18446744073709551615/a.b-c_d");
  CHECK(parse_delivery_key(text_of(key)) == key);
  for (const char* const text : {"", "1", "1/", "/a", "-1/a", "18446744073709551616/a"}) {
    INFO(text);
    CHECK_FALSE(parse_delivery_key(text));
  }
  CHECK_FALSE(parse_delivery_key("1/" + std::string(64, 'a')));
}

}  // namespace
}  // namespace onceproxy::admin
