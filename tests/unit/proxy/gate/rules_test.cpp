#include "proxy/gate/rules.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace onceproxy::gate {
namespace {

using policies::Enforcement;
using policies::Policy;
using Mode = Enforcement::Mode;

struct NoLoop final : store::Loop {
  void deliver(store::CallBase* first) noexcept override { first->resume(*first); }
};

struct Waiter : io::Slots::Waiter {
  explicit Waiter(store::Loop& home) {
    loop = &home;
    resume = [](store::CallBase& call) { static_cast<Waiter&>(call).resumed = true; };
  }
  bool resumed = false;
};

Policy named(std::string name, std::size_t concurrency_max = 0) {
  Policy policy;
  policy.name = std::move(name);
  policy.concurrency_max = concurrency_max;
  return policy;
}

const Policy& policy(const Rules& rules, std::size_t index) {
  return rules.policies().policies()[index];
}

TEST_CASE("a policy is enforced as configured until an operator says otherwise") {
  telemetry::Metrics metrics("test");
  Policy watched = named("watched");
  watched.enforcement = {Mode::shadow, 40};
  Rules rules({named("a"), watched}, metrics);
  CHECK(rules.enforcement(policy(rules, 0)).mode == Mode::enforce);
  CHECK(rules.enforcement(policy(rules, 0)).percent == 100);
  CHECK(rules.enforcement(policy(rules, 1)).mode == Mode::shadow);
  CHECK(rules.enforcement(policy(rules, 1)).percent == 40);

  rules.enforce(policy(rules, 0), {Mode::off, 0});
  CHECK(rules.enforcement(policy(rules, 0)).mode == Mode::off);
  CHECK(rules.enforcement(policy(rules, 0)).percent == 0);
  CHECK(rules.enforcement(policy(rules, 1)).mode == Mode::shadow);

  const Rules next({named("a")}, metrics, &rules);
  CHECK(next.enforcement(policy(next, 0)).mode == Mode::enforce);
}

TEST_CASE("an override is enforced and counted as its policy is") {
  telemetry::Metrics metrics("test");
  Policy second = named("b", 3);
  second.overrides.push_back({{}, std::make_shared<const Policy>(second)});
  Rules rules({named("a"), second}, metrics);
  const Policy& base = policy(rules, 1);
  const Policy& override = *base.overrides.front().policy;
  rules.enforce(base, {Mode::shadow, 7});
  CHECK(rules.enforcement(override).percent == 7);
  CHECK(rules.id(override) == rules.id(base));
  CHECK(rules.turns(override) == rules.turns(base));
}

TEST_CASE("a policy without a limit takes no turns") {
  telemetry::Metrics metrics("test");
  const Rules rules({named("free"), named("single", 1)}, metrics);
  CHECK(rules.turns(policy(rules, 0)) == nullptr);
  REQUIRE(rules.turns(policy(rules, 1)) != nullptr);
  CHECK(rules.turns(policy(rules, 1))->limit() == 1);
}

TEST_CASE("a policy's turns go on under its name, wherever it stands, with the new limit") {
  telemetry::Metrics metrics("test");
  NoLoop loop;
  const Rules rules({named("single", 1)}, metrics);
  io::Slots& turns = *rules.turns(policy(rules, 0));
  REQUIRE(turns.try_take());
  Waiter waiter(loop);
  REQUIRE_FALSE(turns.wait(waiter));

  const Rules next({named("other", 1), named("single", 2)}, metrics, &rules);
  CHECK(next.turns(policy(next, 1)) == &turns);
  CHECK(next.turns(policy(next, 0)) != &turns);
  next.take_effect();
  CHECK(waiter.resumed);
  CHECK_FALSE(turns.try_take());
}

TEST_CASE("a limit that is taken away lets go whoever waits, and counts on if it comes back") {
  telemetry::Metrics metrics("test");
  NoLoop loop;
  const Rules rules({named("single", 1)}, metrics);
  io::Slots& turns = *rules.turns(policy(rules, 0));
  REQUIRE(turns.try_take());
  Waiter waiter(loop);
  REQUIRE_FALSE(turns.wait(waiter));

  const Rules without({named("single")}, metrics, &rules);
  CHECK(without.turns(policy(without, 0)) == nullptr);
  without.take_effect();
  CHECK(waiter.resumed);

  const Rules again({named("single", 2)}, metrics, &without);
  REQUIRE(again.turns(policy(again, 0)) == &turns);
  again.take_effect();
  CHECK_FALSE(turns.try_take());
}

TEST_CASE("Rules that are never put in force leave the limits as they are") {
  telemetry::Metrics metrics("test");
  const Rules rules({named("single", 1)}, metrics);
  io::Slots& turns = *rules.turns(policy(rules, 0));
  { const Rules refused({named("single", 2)}, metrics, &rules); }
  { const Rules refused({named("single")}, metrics, &rules); }
  CHECK(turns.limit() == 1);
}

TEST_CASE("the turns of a policy that is gone end with the last of the Rules that knew it") {
  telemetry::Metrics metrics("test");
  auto rules = std::make_unique<Rules>(std::vector{named("single", 1)}, metrics);
  REQUIRE(rules->turns(policy(*rules, 0))->try_take());
  const Rules without({}, metrics, rules.get());
  rules.reset();
  const Rules again({named("single", 1)}, metrics, &without);
  CHECK(again.turns(policy(again, 0))->try_take());
}

TEST_CASE("each policy counts for itself, by its name") {
  telemetry::Metrics metrics("test");
  std::vector<Policy> given(3);
  given[0].name = "a";
  given[1].name = "b";
  given[2].name = "c";
  const Rules rules(given, metrics);
  for (const Policy& given_policy : rules.policies().policies()) {
    CHECK(rules.id(given_policy) == metrics.policy(given_policy.name));
  }
}

}  // namespace
}  // namespace onceproxy::gate
