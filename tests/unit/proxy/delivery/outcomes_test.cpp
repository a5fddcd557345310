#include "proxy/delivery/outcomes.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <utility>

#include "fake_ledger.hpp"

namespace onceproxy::delivery {
namespace {

using Catch::Matchers::Contains;
using policies::Acknowledge;
using std::chrono::milliseconds;
using store::DeliveryState;

const Outcomes::Time start{std::chrono::hours(1)};

/// Runs what is delivered on the delivering thread.
struct DirectLoop final : store::Loop {
  void deliver(store::CallBase* first) noexcept override {
    while (first != nullptr) {
      store::CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
};

struct Waiting {
  DirectLoop loop;
  testing::FakeLedger ledger;
  Outcomes outcomes{ledger, loop};
  store::EventNumber event = 0;

  explicit Waiting(const std::vector<std::string>& listeners)
      : event(ledger.add(listeners, "body")) {}

  struct Call : store::Call<gate::Acknowledged> {
    explicit Call(store::Loop& loop) : store::Call<gate::Acknowledged>(loop) {
      resume = [](store::CallBase& base) { ++static_cast<Call&>(base).answered; };
    }
    int answered = 0;
  };

  void wait(Call& call, Acknowledge how) {
    outcomes.add(ledger.view(event, "a").fingerprint, how, call, start);
  }
  void note(const std::string& listener, DeliveryState state) {
    outcomes.note({event, listener}, {state, 1, state == DeliveryState::dead ? 503 : 200, ""});
  }
};

Acknowledge all() {
  return {Acknowledge::When::all, 0, milliseconds(1'000)};
}
Acknowledge first(std::uint32_t count) {
  return {Acknowledge::When::first, count, milliseconds(1'000)};
}

TEST_CASE("Who waits for all is answered when the last listener was notified", "[outcomes]") {
  Waiting waiting({"a", "b"});
  Waiting::Call call(waiting.loop);
  waiting.wait(call, all());
  waiting.note("a", DeliveryState::notified);
  CHECK(call.answered == 0);
  waiting.note("b", DeliveryState::failed);
  CHECK(call.answered == 0);
  waiting.note("b", DeliveryState::notified);
  REQUIRE(call.answered == 1);
  CHECK(call.result->answer->status == 202);
  CHECK_THAT(call.result->answer->body, Contains(R"("status":"notified")"));
}

TEST_CASE("One that is dead ends the wait for all, and the answer says so", "[outcomes]") {
  Waiting waiting({"a", "b"});
  Waiting::Call call(waiting.loop);
  waiting.wait(call, all());
  waiting.note("a", DeliveryState::notified);
  waiting.note("b", DeliveryState::dead);
  REQUIRE(call.answered == 1);
  CHECK(call.result->answer->status == 202);
  CHECK_THAT(call.result->answer->body, Contains(R"("state":"DEAD")"));
  CHECK_THAT(call.result->answer->body, Contains(R"("status":503)"));
}

TEST_CASE("Who waits for some is answered when so many were notified", "[outcomes]") {
  Waiting waiting({"a", "b", "c"});
  Waiting::Call call(waiting.loop);
  waiting.wait(call, first(2));
  waiting.note("a", DeliveryState::notified);
  waiting.note("b", DeliveryState::dead);
  CHECK(call.answered == 0);
  waiting.note("c", DeliveryState::notified);
  CHECK(call.answered == 1);
  CHECK(call.result->answer->status == 202);
}

TEST_CASE("A wait ends when its time is over, and names the states so far", "[outcomes]") {
  Waiting waiting({"a", "b"});
  Waiting::Call call(waiting.loop);
  waiting.wait(call, all());
  waiting.note("a", DeliveryState::notified);
  waiting.outcomes.tick(start + milliseconds(999));
  CHECK(call.answered == 0);
  waiting.outcomes.tick(start + milliseconds(1'000));
  REQUIRE(call.answered == 1);
  CHECK(call.result->answer->status == 202);
  CHECK_THAT(call.result->answer->body, Contains(R"("state":"PENDING")"));
  CHECK(waiting.outcomes.waiting() == 0);
}

TEST_CASE("What another process delivers is found in the ledger, once a second", "[outcomes]") {
  Waiting waiting({"a", "b"});
  waiting.ledger.is_shared = true;
  Waiting::Call call(waiting.loop);
  waiting.wait(call, {Acknowledge::When::all, 0, milliseconds(10'000)});
  waiting.note("a", DeliveryState::notified);
  waiting.ledger.end_elsewhere({waiting.event, "a"}, DeliveryState::notified);
  waiting.ledger.end_elsewhere({waiting.event, "b"}, DeliveryState::notified);
  waiting.outcomes.tick(start + milliseconds(999));
  CHECK(call.answered == 0);
  SECTION("by itself") {
    waiting.outcomes.tick(start + milliseconds(1'000));
  }
  SECTION("sooner where it is known") {
    waiting.outcomes.read_again(waiting.event);
    waiting.outcomes.tick(start + milliseconds(999));
  }
  REQUIRE(call.answered == 1);
  CHECK_THAT(call.result->answer->body, Contains(R"("status":"notified")"));
}

TEST_CASE("Of many who wait only some are read at once, and each has its turn", "[outcomes]") {
  Waiting waiting({"a"});
  waiting.ledger.is_shared = true;
  constexpr std::size_t many = 40;
  std::deque<Waiting::Call> calls;
  for (std::size_t i = 0; i < many; ++i) {
    waiting.wait(calls.emplace_back(waiting.loop),
                 {Acknowledge::When::all, 0, milliseconds(10'000)});
  }
  waiting.ledger.end_elsewhere({waiting.event, "a"}, DeliveryState::notified);
  const auto answered = [&] {
    return std::ranges::count_if(calls, [](const auto& call) { return call.answered > 0; });
  };
  waiting.ledger.reads = 0;
  auto now = start + milliseconds(1'000);
  waiting.outcomes.tick(now);
  CHECK(waiting.ledger.reads == 8);
  CHECK(answered() == 8);
  for (int tick = 0; tick < 4; ++tick) waiting.outcomes.tick(now += milliseconds(100));
  CHECK(answered() == many);
}

TEST_CASE("Who waits behind many whose time has not come is read too", "[outcomes]") {
  Waiting waiting({"a"});
  waiting.ledger.is_shared = true;
  std::deque<Waiting::Call> calls;
  const Acknowledge patient{Acknowledge::When::all, 0, milliseconds(60'000)};
  for (int i = 0; i < 100; ++i) waiting.wait(calls.emplace_back(waiting.loop), patient);
  const auto other = waiting.ledger.add({"b"}, "body");
  Waiting::Call last(waiting.loop);
  waiting.outcomes.add(waiting.ledger.view(other, "b").fingerprint, patient, last, start);
  waiting.ledger.end_elsewhere({other, "b"}, DeliveryState::notified);
  for (int tick = 0; tick < 20; ++tick) {
    waiting.outcomes.tick(start + milliseconds(1'000 + tick * 100));
  }
  CHECK(last.answered == 1);
}

TEST_CASE("Several who wait for one event are all answered", "[outcomes]") {
  Waiting waiting({"a"});
  Waiting::Call one(waiting.loop), other(waiting.loop);
  waiting.wait(one, all());
  waiting.wait(other, all());
  waiting.note("a", DeliveryState::notified);
  CHECK(one.answered == 1);
  CHECK(other.answered == 1);
}

TEST_CASE("Who asks for an event that nobody knows is answered without one", "[outcomes]") {
  DirectLoop loop;
  testing::FakeLedger ledger;
  Outcomes outcomes(ledger, loop);
  Waiting::Call call(loop);
  outcomes.add({}, all(), call, start);
  REQUIRE(call.answered == 1);
  CHECK_FALSE(call.result->answer);
}

}  // namespace
}  // namespace onceproxy::delivery
