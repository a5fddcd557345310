#include "proxy/cli/backtest/simulation.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace onceproxy::backtest {
namespace {

using namespace std::chrono_literals;
using gate::Decision;
using policies::InFlightRule;
using policies::Verdict;

/// A day some time after the epoch.
const Moment start{std::chrono::sys_days{std::chrono::year{2026} / 1 / 2}};

template <typename Key>
Key key(std::uint8_t number) {
  Key out;
  out.bytes.fill(number);
  return out;
}

/// A simulation, one policy, and what was decided: one word for each request, in order.
struct World {
  explicit World(std::size_t entries_max = 1000)
      : simulation(entries_max, [this](const policies::Policy& policy, Decision decision) {
          CHECK(&policy == policy_asked);
          decisions += (decisions.empty() ? "" : " ") + std::string(name(decision));
        }) {
    policy.terms.lease = 30s;
    policy.terms.window = 1h;
  }

  Arrival arrival(std::uint8_t fingerprint, Verdict ending = Verdict::complete) {
    Arrival out;
    out.operation.policy = policy_asked = &policy;
    out.operation.fingerprint = key<store::Fingerprint>(fingerprint);
    out.ending = ending;
    out.duration = 100ms;
    return out;
  }

  void ask(std::chrono::milliseconds at, Arrival arrival) {
    REQUIRE(simulation.arrive(start + at, std::move(arrival)));
  }
  void ask(std::chrono::milliseconds at, std::uint8_t fingerprint,
           Verdict ending = Verdict::complete) {
    ask(at, arrival(fingerprint, ending));
  }

  /// The policy with an entity; arrivals act on entity `number`.
  Arrival acting(std::uint8_t fingerprint, std::uint8_t number,
                 std::optional<std::int64_t> sequence = std::nullopt) {
    if (!policy.entity) policy.entity.emplace();
    Arrival out = arrival(fingerprint);
    out.operation.entity.emplace();
    out.operation.entity->key = key<store::EntityKey>(number);
    out.operation.entity->sequence = sequence;
    return out;
  }

  Arrival limited(std::uint8_t fingerprint, Verdict ending = Verdict::complete) {
    Arrival out = arrival(fingerprint, ending);
    out.operation.rate = key<store::RateKey>(1);
    return out;
  }

  std::string decided() {
    simulation.finish();
    return decisions;
  }

  policies::Policy policy;
  const policies::Policy* policy_asked = nullptr;
  std::string decisions;
  Simulation simulation;
};

TEST_CASE("the first is forwarded, the second is told to wait, later ones get the answer") {
  World world;
  world.ask(0ms, 1);
  world.ask(99ms, 1);
  world.ask(100ms, 1);
  world.ask(1h + 99ms, 1);
  CHECK(world.decided() == "forwarded in-flight replayed replayed");
}

TEST_CASE("a window is counted from completion, and then it is new again") {
  World world;
  world.ask(0ms, 1);
  world.ask(1h + 100ms, 1);
  world.ask(1h + 300ms, 1);
  CHECK(world.decided() == "forwarded forwarded replayed");
}

TEST_CASE("a duplicate gets the fixed answer, or hears that the answer was not kept") {
  World world;
  Arrival large = world.arrival(1);
  large.replayable = false;
  world.ask(0ms, large);
  world.ask(1s, 1);
  world.policy.on_duplicate.emplace();
  world.ask(2s, 1);
  CHECK(world.decided() == "forwarded not-replayable suppressed");
}

TEST_CASE(
    "an operation that another one ends is new again, and is not remembered if it was under way") {
  World world;
  const auto ending = [&](std::uint8_t fingerprint, std::uint8_t other) {
    Arrival out = world.arrival(fingerprint);
    out.operation.ends = {key<store::Fingerprint>(other)};
    return out;
  };
  world.ask(0ms, ending(1, 2));
  world.ask(1s, ending(2, 1));
  world.ask(2s, ending(1, 2));
  world.ask(3s, 1);
  CHECK(world.decisions == "forwarded forwarded forwarded replayed");
  Arrival slow = world.arrival(3);
  slow.duration = 10s;
  world.ask(4s, slow);
  world.ask(5s, ending(4, 3));
  world.ask(6s, 3);
  world.ask(15s, 3);
  CHECK(world.decided() ==
        "forwarded forwarded forwarded replayed forwarded forwarded in-flight forwarded");
}

TEST_CASE("an equal sequence goes through where the policy says so") {
  World world;
  world.ask(0ms, world.acting(1, 1, 5));
  world.ask(1s, world.acting(2, 1, 5));
  world.policy.entity->sequence.emplace().equal_passes = true;
  world.ask(2s, world.acting(3, 1, 5));
  world.ask(3s, world.acting(4, 1, 4));
  CHECK(world.decided() == "forwarded stale forwarded stale");
}

TEST_CASE("another payload is a mismatch, before and after completion") {
  World world;
  const auto with = [&](std::uint8_t payload) {
    Arrival out = world.arrival(1);
    out.operation.payload = key<store::PayloadDigest>(payload);
    return out;
  };
  world.ask(0ms, with(1));
  world.ask(10ms, with(2));
  world.ask(1s, with(2));
  world.ask(1s, with(1));
  world.ask(1s, 1);
  CHECK(world.decided() == "forwarded mismatch mismatch replayed replayed");
}

TEST_CASE("a release frees the key at once") {
  World world;
  world.ask(0ms, 1, Verdict::release);
  world.ask(50ms, 1);
  world.ask(100ms, 1);
  CHECK(world.decided() == "forwarded in-flight forwarded");
}

TEST_CASE("an unknown outcome holds for the lease, or until the window's end") {
  World world;
  world.ask(0ms, 1, Verdict::ambiguous);
  world.ask(30s, 1);
  world.ask(30s + 100ms, 1);
  world.policy.terms.unknown = store::OnUnknown::hold;
  world.ask(60s, 2, Verdict::ambiguous);
  world.ask(60s + 59min, 2);
  world.ask(2h, 2);
  CHECK(world.decided() == "forwarded held forwarded forwarded held forwarded");
}

TEST_CASE("a forward that takes longer than the lease is still in flight") {
  World world;
  Arrival slow = world.arrival(1);
  slow.duration = 10min;
  world.ask(0ms, slow);
  world.ask(9min, 1);
  world.ask(11min, 1);
  CHECK(world.decided() == "forwarded in-flight replayed");
}

TEST_CASE("acknowledge answers at once while the first is under way") {
  World world;
  world.policy.in_flight.action = InFlightRule::Action::acknowledge;
  world.ask(0ms, 1);
  world.ask(1ms, 1);
  world.ask(200ms, 1);
  CHECK(world.decided() == "forwarded acknowledged replayed");
}

TEST_CASE("a duplicate that waits gets the result of the first request") {
  World world;
  world.policy.in_flight = {InFlightRule::Action::wait, 10s};
  world.ask(0ms, 1);
  world.ask(10ms, 1);
  world.ask(20ms, 1);
  CHECK(world.decisions == "forwarded");
  world.ask(150ms, 2);
  CHECK(world.decisions == "forwarded replayed replayed forwarded");
}

TEST_CASE("if the first request is released, exactly one waiting duplicate takes over") {
  World world;
  world.policy.in_flight = {InFlightRule::Action::wait, 10s};
  world.ask(0ms, 1, Verdict::release);
  world.ask(10ms, 1);
  world.ask(20ms, 1);
  world.ask(30ms, 1);
  CHECK(world.decided() == "forwarded forwarded replayed replayed");
}

TEST_CASE("duplicates that wait for an unknown outcome are held, one after the other") {
  World world;
  world.policy.in_flight = {InFlightRule::Action::wait, 10s};
  world.ask(0ms, 1, Verdict::ambiguous);
  world.ask(10ms, 1);
  world.ask(20ms, 1);
  CHECK(world.decided() == "forwarded held held");
}

TEST_CASE("a wait ends in time") {
  World world;
  world.policy.in_flight = {InFlightRule::Action::wait, 50ms};
  world.ask(0ms, 1);
  world.ask(10ms, 1);
  world.ask(60ms, 1);
  CHECK(world.decided() == "forwarded in-flight replayed");
}

TEST_CASE("requests on one entity take turns in order of arrival") {
  World world;
  world.ask(0ms, world.acting(1, 1));
  world.ask(10ms, world.acting(2, 1));
  world.ask(20ms, world.acting(3, 1));
  world.ask(30ms, world.acting(4, 2));
  CHECK(world.decisions == "forwarded forwarded");
  world.ask(150ms, world.arrival(9));
  CHECK(world.decisions == "forwarded forwarded forwarded forwarded");
  // Operation 2 has the turn from 100 ms to 200 ms, and 3 still waits.
  world.ask(160ms, world.arrival(2));
  world.ask(170ms, world.arrival(3));
  world.ask(201ms, world.arrival(2));
  CHECK(world.decided() ==
        "forwarded forwarded forwarded forwarded in-flight in-flight forwarded replayed");
}

TEST_CASE("no request overtakes one that waits for its turn, even at the moment it comes") {
  World world;
  world.policy.in_flight = {InFlightRule::Action::wait, 10s};
  Arrival released = world.acting(1, 2);
  released.ending = Verdict::release;
  world.ask(0ms, released);
  world.ask(0ms, world.acting(3, 1));
  world.ask(10ms, world.acting(4, 1, 5));
  // It takes over fingerprint 1 just as entity 1 becomes free.
  world.ask(20ms, world.acting(1, 1, 4));
  CHECK(world.decided() == "forwarded forwarded forwarded stale");
}

TEST_CASE("a turn that does not come in time is busy, and its key is free") {
  World world;
  Arrival slow = world.acting(1, 1);
  slow.duration = 1min;
  world.policy.entity->wait = 5s;
  world.ask(0ms, slow);
  world.ask(1s, world.acting(2, 1));
  world.ask(2s, world.acting(2, 1));
  world.ask(58s, world.acting(2, 1));
  CHECK(world.decided() == "forwarded in-flight busy forwarded");
}

TEST_CASE("without a wait a taken turn is busy at once") {
  World world;
  const Arrival first = world.acting(1, 1);
  world.policy.entity->wait = 0s;
  world.ask(0ms, first);
  world.ask(1ms, world.acting(2, 1));
  CHECK(world.decisions == "forwarded busy");
}

TEST_CASE("a duplicate of a completed one is answered without a turn") {
  World world;
  world.ask(0ms, world.acting(1, 1));
  Arrival slow = world.acting(2, 1);
  slow.duration = 1min;
  world.ask(1s, slow);
  world.ask(2s, world.acting(1, 1));
  CHECK(world.decisions == "forwarded forwarded replayed");
}

TEST_CASE("a sequence at or below the highest completed one is stale") {
  World world;
  world.ask(0ms, world.acting(1, 1, 5));
  world.ask(1s, world.acting(2, 1, 5));
  world.ask(1s, world.acting(3, 1, 4));
  world.ask(1s, world.acting(4, 1, 6));
  world.ask(2s, world.acting(5, 2, 1));
  CHECK(world.decided() == "forwarded stale stale forwarded forwarded");
}

TEST_CASE("operations that fail raise no sequence and close nothing") {
  World world;
  Arrival failing = world.acting(1, 1, 5);
  failing.ending = Verdict::release;
  world.policy.entity->closes = 1h;
  world.policy.entity->unless_closed = true;
  world.ask(0ms, failing);
  world.ask(1s, world.acting(2, 1, 4));
  CHECK(world.decided() == "forwarded forwarded");
}

TEST_CASE("a closed entity refuses until the closing is over") {
  World world;
  const Arrival closing = world.acting(1, 1);
  world.policy.entity->closes = 10min;
  world.policy.entity->unless_closed = true;
  world.ask(0ms, closing);
  world.ask(50ms, world.acting(2, 1));
  world.ask(10min, world.acting(3, 1));
  world.ask(10min + 100ms, world.acting(4, 1));
  CHECK(world.decided() == "forwarded closed closed forwarded");
}

TEST_CASE("a refusal gives its turn and its key back") {
  World world;
  world.ask(0ms, world.acting(1, 1, 5));
  world.ask(10ms, world.acting(2, 1, 5));
  world.ask(20ms, world.acting(3, 1, 6));
  // When the turn comes, 2 is stale, and 3 goes on at the same time.
  world.ask(110ms, world.arrival(3));
  CHECK(world.decided() == "forwarded stale forwarded in-flight");
}

TEST_CASE("a rate limit lets a burst through and then one each interval") {
  World world;
  world.policy.rate_limit = policies::RateLimit{2, 10s, {}};
  world.ask(0s, world.limited(1));
  world.ask(0s, world.limited(2));
  world.ask(1s, world.limited(3));
  world.ask(2s, world.limited(1));
  world.ask(5s, world.limited(4));
  world.ask(6s, world.limited(5));
  CHECK(world.decided() == "forwarded forwarded rate-limited replayed forwarded rate-limited");
}

TEST_CASE("a release gives its token back, an unknown outcome does not") {
  World world;
  world.policy.rate_limit = policies::RateLimit{1, 1h, {}};
  world.ask(0s, world.limited(1, Verdict::release));
  world.ask(1s, world.limited(2, Verdict::ambiguous));
  world.ask(2s, world.limited(3));
  CHECK(world.decided() == "forwarded forwarded rate-limited");
}

TEST_CASE("expired operations are forgotten") {
  World world;
  world.policy.rate_limit = policies::RateLimit{1, 1s, {}};
  for (std::uint8_t i = 0; i < 200; ++i) {
    Arrival arrival = world.acting(i, i, i);
    arrival.operation.rate = key<store::RateKey>(i);
    world.ask(std::chrono::milliseconds(i), arrival);
  }
  CHECK(world.simulation.entries() == 600);
  world.ask(2s, 255);
  CHECK(world.simulation.entries() == 401);
  world.ask(2h, 254);
  CHECK(world.simulation.entries() == 1);
}

TEST_CASE("an entity is kept while it is closed and while somebody acts on it") {
  World world;
  const Arrival closing = world.acting(1, 1);
  world.policy.entity->closes = 24h;
  world.policy.entity->unless_closed = true;
  world.ask(0ms, closing);
  world.ask(23h, world.acting(2, 1));
  world.ask(25h, world.acting(3, 1));
  CHECK(world.decided() == "forwarded closed forwarded");
}

TEST_CASE("more than is allowed is refused, and nothing is decided") {
  World world(3);
  world.ask(0ms, 1);
  world.ask(0ms, 2);
  world.ask(0ms, 3);
  CHECK_FALSE(world.simulation.arrive(start + 1min, world.arrival(4)));
  CHECK(world.decisions == "forwarded forwarded forwarded");
  world.ask(2h, 4);
  CHECK(world.decisions == "forwarded forwarded forwarded forwarded");
}

}  // namespace
}  // namespace onceproxy::backtest
