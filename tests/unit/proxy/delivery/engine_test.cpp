#include "proxy/delivery/engine.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "fake_ledger.hpp"
#include "store/store_clock.hpp"
#include "test_listener.hpp"

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;
using store::DeliveryState;
using testing::TestListener;

using Bodies = std::vector<std::string>;

policies::Listener listener(const std::string& name, std::uint16_t port) {
  policies::Listener made;
  made.name = name;
  made.address = {"127.0.0.1", port, ""};
  made.path = "/events";
  made.timeout = milliseconds(5'000);
  made.attempts = 3;
  made.backoff = {milliseconds(1), milliseconds(10), 0.0};
  return made;
}

store::EntityKey entity(std::uint8_t number) {
  store::EntityKey key;
  key.bytes[0] = number;
  return key;
}

/// Waits for what another thread does.
template <typename Check>
bool eventually(Check check) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!check()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

/// An engine on a ledger in memory.
struct Delivering {
  testing::LedgerStore store;
  testing::FakeLedger& ledger = store.fake;
  store::StoreClock clock;
  telemetry::Metrics metrics{"1"};
  http::UpstreamAddress address{{"127.0.0.1", 1, ""}};
  io::Slots connections{8};
  io::Slots turns{0};
  std::atomic<std::size_t> waiting_bytes = 0;
  Engine engine{{}, store, clock, metrics};
  /// What is configured no more, with the next configuration.
  std::vector<KeptListener> finishing;

  Delivering() { engine.share({address, connections, turns, waiting_bytes}); }

  void configure(policies::ListenerList listeners, policies::Acknowledge acknowledge = {},
                 const std::string& name = "orders") {
    policies::Policy policy;
    policy.name = name;
    policies::DeliveryRules rules;
    rules.listeners = std::make_shared<const policies::ListenerList>(std::move(listeners));
    rules.acknowledge = acknowledge;
    policy.delivery = std::make_shared<const policies::DeliveryRules>(rules);
    std::vector<policies::Policy> policies;
    policies.push_back(std::move(policy));
    engine.configure(
        engine.prepare({.rules = std::make_shared<const gate::Rules>(std::move(policies), metrics),
                        .finishing = finishing}));
  }
  bool reaches(store::EventNumber event, const std::string& name, DeliveryState state) {
    return eventually([&] { return ledger.view(event, name).state == state; });
  }
};

TEST_CASE("Every listener of an event is notified", "[engine]") {
  TestListener a, b;
  Delivering delivering;
  delivering.configure({listener("a", a.port), listener("b", b.port)});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a", "b"}, "one");
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(delivering.reaches(event, "b", DeliveryState::notified));
  CHECK(a.bodies() == Bodies{"one"});
  CHECK(b.bodies() == Bodies{"one"});
}

TEST_CASE("A listener that fails is dead after its attempts, and the others are notified",
          "[engine]") {
  TestListener bad([](const std::string&) { return testing::unavailable; });
  TestListener good;
  Delivering delivering;
  delivering.configure({listener("bad", bad.port), listener("good", good.port)});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"bad", "good"}, "one");
  CHECK(delivering.reaches(event, "good", DeliveryState::notified));
  CHECK(delivering.reaches(event, "bad", DeliveryState::dead));
  const store::DeliveryView view = delivering.ledger.view(event, "bad");
  CHECK(view.attempts == 3);
  CHECK(view.status == 503);
  CHECK(bad.bodies().size() == 3);
}

TEST_CASE("What was pending at the start is delivered", "[engine]") {
  TestListener a;
  Delivering delivering;
  const auto event = delivering.ledger.add({"a"}, "left");
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
}

TEST_CASE("Of an entity the next goes when the one before was delivered, whatever it took",
          "[engine]") {
  std::atomic<int> failures = 2;
  TestListener a([&](const std::string& body) {
    return body == "1" && failures-- > 0 ? testing::unavailable : testing::ok;
  });
  Delivering delivering;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  store::EventNumber last = 0;
  for (int n = 1; n <= 20; ++n) {
    last = delivering.ledger.add({"a"}, std::to_string(n), entity(1));
  }
  REQUIRE(delivering.reaches(last, "a", DeliveryState::notified));
  Bodies expected{"1", "1"};
  for (int n = 1; n <= 20; ++n) expected.push_back(std::to_string(n));
  CHECK(a.bodies() == expected);
  CHECK(a.at_once() == 1);
}

TEST_CASE("A slow listener delays no other, and gets no more at once than it takes", "[engine]") {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  TestListener slow([&](const std::string&) {
    released.wait();
    return testing::ok;
  });
  TestListener quick;
  Delivering delivering;
  policies::Listener bounded = listener("slow", slow.port);
  bounded.concurrency_max = 4;
  bounded.timeout = std::chrono::minutes(5);
  delivering.configure({bounded, listener("quick", quick.port)});
  delivering.engine.start();
  for (int n = 0; n < 200; ++n) delivering.ledger.add({"slow", "quick"}, std::to_string(n));
  CHECK(quick.wait_for(200));
  CHECK(slow.bodies().size() <= 4);
  release.set_value();
  CHECK(slow.wait_for(200));
  CHECK(slow.at_once() <= 4);
}

TEST_CASE("What is pending for a closed entity is cancelled and never sent", "[engine]") {
  TestListener a;
  Delivering delivering;
  const auto event = delivering.ledger.add({"a"}, "declined", entity(1));
  delivering.ledger.close(entity(1));
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  CHECK(delivering.reaches(event, "a", DeliveryState::cancelled));
  CHECK(a.bodies().empty());
}

TEST_CASE("What another process may have by now is not sent, and uses no attempt up", "[engine]") {
  TestListener a;
  Delivering delivering;
  delivering.ledger.lapses = true;
  const auto event = delivering.ledger.add({"a"}, "lapsed");
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  CHECK(delivering.reaches(event, "a", DeliveryState::failed));
  CHECK(a.bodies().empty());
  CHECK(delivering.ledger.view(event, "a").attempts == 0);
  delivering.ledger.lapses = false;
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(a.bodies() == Bodies{"lapsed"});
}

TEST_CASE("What another process has made due later is attempted then", "[engine]") {
  TestListener a;
  Delivering delivering;
  const auto event = delivering.ledger.add({"a"}, "later");
  delivering.ledger.say_later({event, "a"}, {delivering.clock.now() + milliseconds(300), 2, false});
  delivering.configure({listener("a", a.port)});
  const auto begun = std::chrono::steady_clock::now();
  delivering.engine.start();
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(std::chrono::steady_clock::now() - begun >= milliseconds(290));
}

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
  std::this_thread::sleep_for(milliseconds(300));
  CHECK(delivering.ledger.view(event, "gone").state == DeliveryState::pending);
  delivering.ledger.orphans = true;
  CHECK(delivering.reaches(event, "gone", DeliveryState::removed));
}

TEST_CASE("A listener that moves gets what is pending at its new address", "[engine]") {
  TestListener before([](const std::string&) { return testing::unavailable; });
  TestListener after;
  Delivering delivering;
  policies::Listener patient = listener("a", before.port);
  patient.attempts = 1'000;
  delivering.configure({patient});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, "one");
  REQUIRE(before.wait_for(1));
  patient.address.port = after.port;
  delivering.configure({patient});
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(after.bodies() == Bodies{"one"});
}

TEST_CASE("A dead letter that is redriven is delivered", "[engine]") {
  std::atomic<bool> works = false;
  TestListener a([&](const std::string&) { return works ? testing::ok : testing::unavailable; });
  Delivering delivering;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, "one");
  REQUIRE(delivering.reaches(event, "a", DeliveryState::dead));
  works = true;
  struct : store::Loop {
    void deliver(store::CallBase*) noexcept override {}
  } loop;
  store::Call<store::Redriven> call(loop);
  REQUIRE(delivering.ledger.redrive({event, "a"}, call));
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
}

TEST_CASE("An answer that breaks off is no notification", "[engine]") {
  std::atomic<int> failures = 1;
  TestListener a([&](const std::string&) {
    return failures-- > 0 ? std::string() : std::string(testing::ok);
  });
  Delivering delivering;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, "one");
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
  CHECK(a.bodies().size() == 2);
}

TEST_CASE("Draining lets what is under way end, and begins nothing", "[engine]") {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  TestListener a([&](const std::string&) {
    released.wait();
    return testing::ok;
  });
  Delivering delivering;
  policies::Listener one = listener("a", a.port);
  one.concurrency_max = 1;
  one.timeout = std::chrono::minutes(5);
  delivering.configure({one});
  delivering.engine.start();
  const auto first = delivering.ledger.add({"a"}, "first");
  const auto second = delivering.ledger.add({"a"}, "second");
  REQUIRE(a.wait_for(1));
  std::thread releasing([&] { release.set_value(); });
  CHECK(delivering.engine.drain(std::chrono::seconds(30)));
  releasing.join();
  CHECK(delivering.ledger.view(first, "a").state == DeliveryState::notified);
  CHECK(delivering.ledger.view(second, "a").attempts <= 1);
}

TEST_CASE("What is cut off by the end of the drain time is left as it was", "[engine]") {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  TestListener a([&](const std::string&) {
    released.wait();
    return testing::ok;
  });
  Delivering delivering;
  policies::Listener patient = listener("a", a.port);
  patient.timeout = std::chrono::minutes(5);
  delivering.configure({patient});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, "one");
  REQUIRE(a.wait_for(1));
  CHECK_FALSE(delivering.engine.drain(milliseconds(0)));
  release.set_value();
  CHECK(delivering.ledger.view(event, "a").state == DeliveryState::pending);
  CHECK(delivering.ledger.view(event, "a").attempts == 0);
  CHECK(delivering.engine.listeners().front().second->unrecorded == 1);
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
