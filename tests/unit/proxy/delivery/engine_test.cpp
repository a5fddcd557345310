#include "proxy/delivery/engine.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "delivering.hpp"
#include "test_listener.hpp"

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;
using store::DeliveryState;
using testing::Bodies;
using testing::Delivering;
using testing::eventually;
using testing::listener;
using testing::TestListener;

store::EntityKey entity(std::uint8_t number) {
  store::EntityKey key;
  key.bytes[0] = number;
  return key;
}

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

TEST_CASE("What the ledger could not keep is attempted again, before what comes after it",
          "[engine]") {
  TestListener a;
  Delivering delivering;
  delivering.ledger.ends_lost = 1;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  delivering.ledger.add({"a"}, "one", entity(1));
  const auto second = delivering.ledger.add({"a"}, "two", entity(1));
  CHECK(delivering.reaches(second, "a", DeliveryState::notified));
  CHECK(a.bodies() == Bodies{"one", "one", "two"});
  // The repeat is counted.
  CHECK(delivering.engine.listeners().front().second->unrecorded == 1);
}

TEST_CASE("A result that the ledger has written later is no reason for a repeat", "[engine]") {
  TestListener a([](const std::string&) { return testing::unavailable; });
  Delivering delivering;
  const auto event = delivering.ledger.add({"a"}, "one");
  delivering.ledger.ends_lost = 1;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  REQUIRE(a.wait_for(1));
  // The state that it was told of: later, after one attempt.
  delivering.ledger.say_later({event, "a"}, {delivering.clock.now() + milliseconds(100), 1, false});
  CHECK(delivering.reaches(event, "a", DeliveryState::dead));
  CHECK(delivering.engine.listeners().front().second->unrecorded == 0);
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

TEST_CASE("What nobody has told of is found now and then, where others deliver too", "[engine]") {
  TestListener a;
  Delivering delivering({.reread_interval = milliseconds(100)});
  delivering.ledger.is_shared = true;
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  const auto told = delivering.ledger.add({"a"}, "one");
  REQUIRE(delivering.reaches(told, "a", DeliveryState::notified));
  delivering.ledger.watch(nullptr);
  const auto event = delivering.ledger.add({"a"}, "two");
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
}

TEST_CASE("Events that are too large to be kept in memory are delivered all the same", "[engine]") {
  TestListener a;
  Delivering delivering({.told_bytes_max = 10});
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  const auto event = delivering.ledger.add({"a"}, std::string(100, 'x'));
  CHECK(delivering.reaches(event, "a", DeliveryState::notified));
}

TEST_CASE("What did not fit in memory is sent before later events of its entity", "[engine]") {
  TestListener a;
  Delivering delivering({.told_bytes_max = 100});
  std::promise<void> reading;
  std::promise<void> added;
  std::atomic<bool> first = true;
  delivering.ledger.after_read = [&] {
    if (!first.exchange(false)) return;
    reading.set_value();
    added.get_future().wait();
  };
  delivering.configure({listener("a", a.port)});
  delivering.engine.start();
  reading.get_future().wait();
  const std::string large(100, '1');
  delivering.ledger.add({"a"}, large, entity(1));
  const auto second = delivering.ledger.add({"a"}, "2", entity(1));
  added.set_value();
  CHECK(delivering.reaches(second, "a", DeliveryState::notified));
  CHECK(a.bodies() == Bodies{large, "2"});
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

}  // namespace
}  // namespace onceproxy::delivery
