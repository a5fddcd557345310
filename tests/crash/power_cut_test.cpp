// Cuts the power of a store, as far as its files can tell: everything that the store asks of the
// kernel is recorded, and from moments in between the states are made that a disk may be left in,
// with what was not synced dropped, reordered and torn. In each of them the store must open, and
// keep what it had promised. ONCEPROXY_POWER_CUTS sets how many, ONCEPROXY_POWER_CUT_SEED repeats a
// run.
#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <map>
#include <random>

#include "crash_keys.hpp"
#include "power_cut.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::crash;
using namespace onceproxy::store::testing;

namespace {

constexpr std::uint64_t cuts_in_a_life = 20;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = ::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

/// How far an operation had come.
enum Stage : std::size_t { begun, reserved, settling, settled };
using Past = std::map<std::uint64_t, Stage>;

struct State {
  Files files;
  Past past;
  std::uint64_t fence_highest = 0;
  std::uint64_t next_number = 1;
};

/// One operation on its way. Marks its stages the moment it learns of them.
class Errand {
 public:
  Errand(std::uint64_t number, Loop& loop) : number_(number), reserve_(loop), settle_(loop) {
    reserve_.resume = [](CallBase& base) { static_cast<Reserve&>(base).errand->told(); };
    settle_.resume = [](CallBase& base) { static_cast<Settle&>(base).errand->done(); };
    reserve_.errand = settle_.errand = this;
  }

  void begin(RocksDbStore& store) {
    mark(number_, begun);
    store_ = &store;
    if (store.reserve(request_, reserve_)) told();
  }
  void wait() {
    if (!signal_.wait([this] { return over_; })) throw std::runtime_error("never answered");
  }

 private:
  struct Reserve : Call<ReserveResult> {
    using Call::Call;
    Errand* errand = nullptr;
  };
  struct Settle : Call<Settled> {
    using Call::Call;
    Errand* errand = nullptr;
  };

  void told() {
    auto* const held = std::get_if<Reserved>(&*reserve_.result);
    if (held == nullptr) return end();
    mark(number_, reserved, held->permit.fence());
    mark(number_, settling);
    if (settle(std::move(held->permit))) done();
  }
  bool settle(Permit permit) {
    switch (ending_of(number_)) {
      case Ending::completed:
        return store_->complete(std::move(permit), answer_of(number_), settle_);
      case Ending::released:
        return store_->release(std::move(permit), {503, {}}, settle_);
      case Ending::unknown:
        break;
    }
    return store_->mark_unknown(std::move(permit), "timeout", settle_);
  }
  void done() {
    if (*settle_.result == Settled::done) mark(number_, settled);
    end();
  }
  void end() {
    signal_.change([this] { over_ = true; });
  }

  const std::uint64_t number_;
  const ReserveRequest request_ = request_of(number_);
  RocksDbStore* store_ = nullptr;
  Reserve reserve_;
  Settle settle_;
  Signal signal_;
  bool over_ = false;
};

/// Small, so that logs, tables and manifests come and go within one life.
void make_small(Tuning& tuning) {
  tuning.write_buffer_bytes = 128 << 10;
  tuning.memtable_buckets = 1 << 8;
  tuning.level0_trigger = 2;
  tuning.cache_bytes = 1 << 20;
}

/// Opens what `state` left, does operations in groups, and perhaps closes; everything recorded.
std::vector<DiskEvent> live(Fixture& fixture, State& state, std::mt19937_64& random) {
  write_files(fixture.options.path, state.files);
  start_recording(fixture.options.path, state.files);
  fixture.open();
  const std::uint64_t operations = 20 + random() % 400;
  for (std::uint64_t done = 0; done < operations;) {
    std::vector<std::unique_ptr<Errand>> group;
    const std::uint64_t size = 1 + random() % 24;
    for (std::uint64_t i = 0; i < size; ++i, ++done) {
      group.push_back(std::make_unique<Errand>(state.next_number++, fixture.loop));
      group.back()->begin(*fixture.store);
    }
    for (const auto& errand : group) errand->wait();
  }
  if (random() % 2 == 0) fixture.store.reset();
  std::vector<DiskEvent> events = stop_recording();
  fixture.store.reset();
  return events;
}

void note(const DiskEvent& event, State& state) {
  if (event.kind != DiskEvent::Kind::mark) return;
  state.past[event.number] = static_cast<Stage>(event.file);
  if (event.file == reserved) state.fence_highest = std::max(state.fence_highest, event.more);
}

/// Whether what a reserve gets now is what that past allows.
bool allowed(std::uint64_t number, Stage stage, Sync sync, const ReserveResult& result) {
  // What is not synced may be forgotten, back to the last stage that was.
  const bool lost_reservation = stage == begun || sync == Sync::none;
  const bool lost_ending = stage < settled || sync != Sync::all;
  const auto* const completed = std::get_if<Completed>(&result);
  if (completed != nullptr) {
    return ending_of(number) == Ending::completed && stage >= settling &&
           completed->answer.body == answer_of(number).body &&
           completed->answer.head == answer_of(number).head;
  }
  const bool ended_as_held = ending_of(number) == Ending::unknown;
  const bool ended_as_free = ending_of(number) == Ending::released && stage >= settling;
  if (is<Held>(result)) return ended_as_held || lost_ending;
  return is<Reserved>(result) && (lost_reservation || ended_as_free);
}

/// Opens what a cut left, and asks for everything.
void check(Fixture& fixture, State state, const std::vector<std::uint64_t>& numbers) {
  write_files(fixture.options.path, state.files);
  fixture.open();
  for (const std::uint64_t number : numbers) {
    ReserveResult result = fixture.reserve(request_of(number));
    const auto known = state.past.find(number);
    CAPTURE(number, result.index());
    if (known == state.past.end()) {
      REQUIRE(is<Reserved>(result));
    } else {
      CAPTURE(known->second);
      REQUIRE(allowed(number, known->second, fixture.options.sync, result));
    }
    if (auto* const reserved = std::get_if<Reserved>(&result)) {
      REQUIRE(reserved->permit.fence() > state.fence_highest);
      reserved->permit.use();
    }
  }
  REQUIRE(fixture.seen.failures.empty());
  fixture.store.reset();
}

/// Moments in `events`: half of them soon after a file came, went or changed its length, which is
/// seldom; the others mostly between a write and its sync.
std::vector<std::size_t> moments(const std::vector<DiskEvent>& events, std::uint64_t count,
                                 std::mt19937_64& random) {
  using Kind = DiskEvent::Kind;
  std::vector<std::size_t> changes;
  for (std::size_t at = 0; at < events.size(); ++at) {
    const Kind kind = events[at].kind;
    if (kind == Kind::create || kind == Kind::rename || kind == Kind::unlink ||
        kind == Kind::resize) {
      changes.push_back(at);
    }
  }
  std::vector<std::size_t> out;
  while (out.size() < count) {
    if (random() % 2 == 0) {
      const std::size_t at = changes[random() % changes.size()] + 1 + random() % 6;
      out.push_back(std::min(at, events.size()));
      continue;
    }
    const std::size_t at = random() % events.size();
    const bool within = events[at].kind != Kind::sync && events[at].kind != Kind::mark;
    if (within || random() % 4 == 0) out.push_back(at + 1);
  }
  std::ranges::sort(out);
  return out;
}

void cut_the_power(Sync sync, std::uint64_t cuts, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Fixture fixture;
  fixture.options.sync = sync;
  make_small(fixture.tuning);
  State state;
  for (std::uint64_t made = 0; made < cuts;) {
    const State before = state;
    const std::vector<DiskEvent> events = live(fixture, state, random);
    const std::uint64_t next_number = state.next_number;
    State next;
    PowerCut disk(before.files);
    State at = before;
    std::size_t applied = 0;
    const std::uint64_t here = std::min(cuts_in_a_life, cuts - made);
    for (const std::size_t moment : moments(events, here, random)) {
      for (; applied < moment; ++applied) {
        disk.apply(events[applied]);
        note(events[applied], at);
      }
      at.files = disk.now(random);
      at.next_number = next_number;
      CAPTURE(seed, made, moment, events.size());
      ++made;
      std::vector<std::uint64_t> numbers;
      // Of all lives: those of this one, and some of the earlier.
      for (std::uint64_t number = 1; number < next_number; ++number) {
        if (number >= before.next_number || random() % 16 == 0) numbers.push_back(number);
      }
      check(fixture, at, numbers);
      // The next life begins with what one of the cuts left, so that starts are cut too.
      if (next.files.empty() || random() % 4 == 0) next = at;
    }
    state = random() % 8 == 0 ? State{} : next;
    state.next_number = next_number;
  }
}

}  // namespace

TEST_CASE("a power cut loses nothing that was promised, and keeps no store from opening") {
  const std::uint64_t cuts = from_environment("ONCEPROXY_POWER_CUTS", 100);
  const std::uint64_t seed = from_environment("ONCEPROXY_POWER_CUT_SEED", std::random_device{}());
  std::cout << "ONCEPROXY_POWER_CUT_SEED=" << seed << std::endl;
  // Most with the default.
  cut_the_power(Sync::all, cuts - 2 * (cuts / 5), seed);
  cut_the_power(Sync::reservations, cuts / 5, seed + 1);
  cut_the_power(Sync::none, cuts / 5, seed + 2);
}
