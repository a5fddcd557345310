// Listeners that come, go and move while the engine delivers to them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <future>

#include "delivering.hpp"
#include "test_listener.hpp"

namespace onceproxy::delivery {
namespace {

using store::DeliveryState;
using testing::Bodies;
using testing::Delivering;
using testing::eventually;
using testing::listener;
using testing::TestListener;

TEST_CASE("What is pending for a listener that is removed ends as removed", "[engine]") {
  TestListener a, b([](const std::string&) { return testing::unavailable; });
  Delivering delivering;
  policies::Listener waits = listener("b", b.port);
  waits.backoff = {std::chrono::hours(1), std::chrono::hours(1), 0.0};
  delivering.configure({listener("a", a.port), waits});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a", "b"}, "one");
  REQUIRE(delivering.reaches(event, "b", DeliveryState::failed));
  delivering.configure({listener("a", a.port)});
  CHECK(delivering.reaches(event, "b", DeliveryState::removed));
  CHECK(delivering.ledger.view(event, "b").attempts == 1);
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
}

TEST_CASE("What is under way to a listener that is removed ends as removed when it fails",
          "[engine]") {
  std::promise<void> goes_on;
  auto held = goes_on.get_future().share();
  TestListener a;
  TestListener b([held](const std::string&) {
    held.wait();
    return testing::busy_for_long;
  });
  Delivering delivering;
  policies::Listener waits = listener("b", b.port);
  waits.backoff = {std::chrono::hours(1), std::chrono::hours(1), 0.0};
  waits.concurrency_max = 1;
  delivering.configure({listener("a", a.port), waits});
  delivering.engine.start();
  const auto under_way = delivering.ledger.add({"a", "b"}, "one");
  const auto behind = delivering.ledger.add({"b"}, "two");
  REQUIRE(b.wait_for(1));
  delivering.configure({listener("a", a.port)});
  goes_on.set_value();
  CHECK(delivering.reaches(under_way, "b", DeliveryState::removed));
  CHECK(delivering.reaches(behind, "b", DeliveryState::removed));
}

TEST_CASE("What is pending for a listener that is being finished is delivered", "[engine]") {
  std::atomic<bool> works = false;
  TestListener a;
  TestListener b([&](const std::string&) { return works ? testing::ok : testing::unavailable; });
  Delivering delivering;
  policies::Listener patient = listener("b", b.port);
  patient.attempts = 1'000;
  delivering.configure({listener("a", a.port), patient});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a", "b"}, "one");
  REQUIRE(b.wait_for(1));
  delivering.finishing = {{"orders", patient, ""}};
  delivering.configure({listener("a", a.port)});
  const auto counts = delivering.engine.listeners();
  CHECK(std::ranges::count_if(
            counts, [](const auto& each) { return each.second->configured.load(); }) == 1);
  works = true;
  CHECK(delivering.reaches(event, "b", DeliveryState::notified));
}

TEST_CASE(
    "What is pending for a listener of a policy that is gone is delivered, or dead where that "
    "cannot be",
    "[engine]") {
  TestListener a;
  Delivering delivering;
  const auto event = delivering.ledger.add({"a", "b"}, "one");
  delivering.finishing = {{"orders", listener("a", a.port), ""},
                          {"orders", listener("b", a.port), "/nowhere/key"}};
  delivering.configure({}, {}, "other");
  delivering.engine.start();
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(delivering.reaches(event, "b", DeliveryState::dead));
  CHECK(delivering.ledger.view(event, "b").error ==
        "delivery.signing.key_file: cannot read /nowhere/key");
}

TEST_CASE("What another process may have ends as removed only when nobody has it", "[engine]") {
  Delivering delivering;
  delivering.ledger.is_shared = true;
  const auto event = delivering.ledger.add({"gone"}, "body");
  delivering.configure({listener("a", 1)});
  delivering.engine.start();
  REQUIRE(eventually([&] { return delivering.ledger.given_back > 0; }));
  CHECK(delivering.ledger.view(event, "gone").state == DeliveryState::pending);
  delivering.ledger.orphans = true;
  CHECK(delivering.reaches(event, "gone", DeliveryState::removed));
}

TEST_CASE("A listener that moves gets what is pending at its new address", "[engine]") {
  // Also where the old one has asked for a long pause.
  TestListener before([](const std::string&) { return testing::busy_for_long; });
  TestListener after;
  Delivering delivering;
  policies::Listener patient = listener("a", before.port);
  patient.attempts = 1'000;
  delivering.configure({patient});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, "one");
  REQUIRE(delivering.reaches(event, "a", DeliveryState::failed));
  // The ledger has it for later.
  delivering.ledger.say_later({event, "a"}, {delivering.clock.now() + std::chrono::hours(1), 1});
  patient.address.port = after.port;
  delivering.configure({patient});
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(after.bodies() == Bodies{"one"});
}

TEST_CASE("Listeners come and go while events are delivered, and none is missed", "[engine]") {
  TestListener stays, comes;
  Delivering delivering;
  const policies::Listener first = listener("stays", stays.port);
  const policies::Listener second = listener("comes", comes.port);
  delivering.configure({first});
  delivering.engine.start();
  std::vector<store::EventNumber> for_both;
  for (int n = 0; n < 40; ++n) {
    delivering.configure({first, second});
    for_both.push_back(delivering.ledger.add({"stays", "comes"}, std::to_string(n)));
    delivering.configure({first});
    delivering.ledger.add({"stays"}, std::to_string(n) + " alone");
  }
  CHECK(stays.wait_for(80));
  CHECK(eventually([&] {
    return delivering.ledger.count(DeliveryState::pending) == 0 &&
           delivering.ledger.count(DeliveryState::failed) == 0;
  }));
  for (const auto event : for_both) {
    const DeliveryState state = delivering.ledger.view(event, "comes").state;
    CHECK((state == DeliveryState::notified || state == DeliveryState::removed));
  }
}

}  // namespace
}  // namespace onceproxy::delivery
