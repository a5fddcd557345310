#include "store/store_clock.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <thread>

#include "hand_turned_time.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto year = 365 * 24h;

/// One process after the other on one machine, and what the database keeps between them.
class Machine {
 public:
  HandTurnedTime time;
  std::optional<ClockMemory> kept;
  ClockTrust trust;
  std::optional<StoreClock> clock;
  std::string said;

  StoreClock& start() {
    clock.emplace(time.sources());
    said = clock->start(kept, trust);
    return *clock;
  }
  /// What was written down last is as old as `age`.
  void stop(std::chrono::milliseconds age = 0ms) {
    kept = clock->memory();
    time.pass(age);
    clock.reset();
  }
  bool says(const std::string& part) const { return said.find(part) != std::string::npos; }
};

/// Seconds pass, and the clock follows in each.
void run(Machine& machine, std::chrono::seconds time) {
  for (auto left = time; left > 0s; left -= 1s) {
    machine.time.pass(1s);
    machine.clock->tick();
  }
}

}  // namespace

TEST_CASE("a store that never kept time begins with the wall clock") {
  Machine machine;
  const StoreClock& clock = machine.start();
  CHECK(clock.now() == machine.time.wall());
  CHECK(clock.may_purge());
  CHECK(machine.said.empty());
}

TEST_CASE("nothing is purged before the clock has begun") {
  Machine machine;
  const StoreClock clock(machine.time.sources());
  CHECK_FALSE(clock.may_purge());
}

TEST_CASE("within a boot the store's time advances whatever the wall clock says") {
  const auto step = GENERATE(0ms, std::chrono::milliseconds(10 * year),
                             std::chrono::milliseconds(-10 * year), 30'000ms);
  Machine machine;
  const WallTime begun = machine.start().now();
  machine.stop();
  machine.time.pass(1h);
  machine.time.set_wall(step);
  const StoreClock& clock = machine.start();
  CHECK(clock.now() == begun + 1h);
  CHECK(clock.may_purge());
  CHECK(clock.standing().wall_ahead == step);
  CHECK(machine.said.empty() == (std::chrono::abs(step) <= 1min));
}

TEST_CASE("in another boot the wall clock tells how long the machine was down") {
  const auto down = GENERATE(1min, 60h, 30 * 24h);
  Machine machine;
  machine.start();
  // A power cut, half a second after time was written down.
  machine.stop(500ms);
  machine.time.boot(down);
  const StoreClock& clock = machine.start();
  CHECK(clock.now() == machine.time.wall());
  CHECK(clock.may_purge());
  CHECK(machine.said.empty());
}

TEST_CASE("in another boot a wall clock that is a little behind is no reason to doubt") {
  Machine machine;
  const WallTime begun = machine.start().now();
  machine.stop();
  machine.time.boot(-50s);
  const StoreClock& clock = machine.start();
  CHECK(clock.now() == begun + ClockMemory::lag_max);
  CHECK(clock.may_purge());
  CHECK(machine.said.empty());
}

TEST_CASE("in another boot a wall clock that cannot be believed leaves the store its own time") {
  const auto down =
      GENERATE(std::chrono::milliseconds(30 * 24h + 1min), std::chrono::milliseconds(10 * year),
               std::chrono::milliseconds(-2h), std::chrono::milliseconds(-10 * year));
  Machine machine;
  const WallTime begun = machine.start().now();
  machine.stop();
  machine.time.boot(down);
  StoreClock& clock = machine.start();
  CHECK(clock.now() == begun + ClockMemory::lag_max);
  CHECK_FALSE(clock.may_purge());
  CHECK(clock.standing().doubted);
  CHECK(machine.says("clock in doubt"));
  CHECK(machine.says("--accept-clock"));
  CHECK(machine.says("clock_ahead_max") == (down > 0ms));

  SECTION("until the wall clock is set right: then it tells the downtime after all") {
    machine.time.pass(1min);
    CHECK(clock.tick().empty());
    CHECK(clock.now() == begun + ClockMemory::lag_max + 1min);
    machine.time.set_wall(3h - down);
    const std::string said = clock.tick();
    CHECK(said.find("can be believed again") != std::string::npos);
    CHECK(clock.now() == machine.time.wall());
    CHECK(clock.may_purge());
    CHECK_FALSE(clock.standing().doubted);
  }
  SECTION("also over restarts in the same boot and in another") {
    machine.stop();
    machine.time.pass(1min);
    CHECK_FALSE(machine.start().may_purge());
    CHECK(machine.clock->now() == begun + ClockMemory::lag_max + 1min);
    machine.stop();
    machine.time.boot(1min);
    CHECK_FALSE(machine.start().may_purge());
  }
  SECTION("until an operator says that it is right") {
    machine.stop();
    machine.trust.accept = true;
    CHECK(machine.start().may_purge());
    CHECK(machine.says("accepted by --accept-clock"));
    // Never back: a lease would hold for as long.
    CHECK(machine.clock->now() == std::max(machine.time.wall(), begun + ClockMemory::lag_max));
    machine.stop();
    machine.trust.accept = false;
    machine.time.boot(1h);
    const WallTime before = machine.kept->time;
    CHECK(machine.start().may_purge());
    const auto passed = machine.clock->now() - before;
    CHECK(passed >= 1h);
    CHECK(passed <= 1h + ClockMemory::lag_max);
  }
}

TEST_CASE("how much downtime is believed, is configured") {
  Machine machine;
  machine.trust.ahead_max = 1h;
  machine.start();
  machine.stop();
  machine.time.boot(2h);
  CHECK_FALSE(machine.start().may_purge());
}

TEST_CASE("a boot without a name, or whose clock went back, counts as another") {
  Machine machine;
  SECTION("without a name") {
    machine.time.forget_boot_id();
    machine.start();
    machine.stop();
    machine.time.set_wall(-2h);
  }
  SECTION("a machine that was put back to a snapshot") {
    machine.start();
    machine.stop();
    machine.time.pass(-2h);
  }
  CHECK_FALSE(machine.start().may_purge());
}

TEST_CASE("a step of the wall clock while it runs stops no purging and ends nothing early") {
  const auto step = GENERATE(2h, -2h);
  Machine machine;
  StoreClock& clock = machine.start();
  const WallTime begun = clock.now();
  machine.time.set_wall(step);
  CHECK(clock.tick().find("the wall clock was set 2 hours " +
                          std::string(step > 0h ? "on" : "back")) != std::string::npos);
  CHECK(clock.may_purge());
  run(machine, 2000s);
  CHECK(clock.now() == begun + 2000s + (step > 0h ? 1s : -1s));
  CHECK(clock.tick().empty());
  // A restart in the same boot goes on from there; in another, the wall clock is known to stand so.
  machine.stop();
  machine.time.boot(1h);
  CHECK(machine.start().may_purge());
}

TEST_CASE("the store's time meets the wall clock and stays with it") {
  Machine machine;
  const auto step = GENERATE(1s, -1s);
  StoreClock& clock = machine.start();
  machine.time.set_wall(step);
  run(machine, 1999s);
  CHECK(clock.now() != machine.time.wall());
  run(machine, 10s);
  CHECK(clock.now() == machine.time.wall());
  // Also without calls of tick().
  machine.time.pass(24h);
  CHECK(clock.now() == machine.time.wall());
}

TEST_CASE("the store's time never goes back, whoever reads it while it follows") {
  Machine machine;
  StoreClock& clock = machine.start();
  std::atomic<bool> done{false};
  std::atomic<int> backwards{0};
  std::thread reader([&] {
    for (WallTime last = clock.now(); !done;) {
      const WallTime now = clock.now();
      if (now < last) ++backwards;
      last = now;
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    machine.time.set_wall(i % 3 == 0 ? 1h : -31min);
    machine.time.pass(std::chrono::milliseconds(i % 7));
    clock.tick();
  }
  done = true;
  reader.join();
  CHECK(backwards == 0);
}

TEST_CASE("the memory of the clock is read back as written, and other bytes are refused") {
  ClockMemory memory{WallTime(1'700'000'000'123ms), 456ms, {}, -789ms, true};
  memory.boot.fill(7);
  const std::string bytes = encode(memory);
  const auto read = decode_clock(bytes);
  REQUIRE(read);
  CHECK(read->time == memory.time);
  CHECK(read->since_boot == memory.since_boot);
  CHECK(read->ahead == memory.ahead);
  CHECK(read->boot == memory.boot);
  CHECK(read->doubted);
  CHECK_FALSE(decode_clock(""));
  CHECK_FALSE(decode_clock(bytes + "x"));
  CHECK_FALSE(decode_clock(bytes.substr(1)));
  CHECK_FALSE(decode_clock("\2" + bytes.substr(1)));
}

TEST_CASE("the system has a boot, and its clocks run") {
  const TimeSources system = system_time();
  CHECK(system.boot != BootId{});
  CHECK(system.boot == system_time().boot);
  CHECK(system.since_boot() > 0ns);
  const auto apart = std::chrono::system_clock::now() - system.wall();
  CHECK(std::chrono::abs(apart) < 1min);
}
