// Asks the store and a model of its rules the same random questions, and wants the same answers.
// ONCEPROXY_MODEL_SEED makes it ask others, ONCEPROXY_MODEL_ROUNDS more: a round is a store of its
// own and 400 steps. The seed is the same each time unless one is given: what a change broke is
// told from what was never tried, and the long tier tries others.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <random>
#include <sstream>

#include "model_rules.hpp"
#include "model_world.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::model;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = ::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

std::string text(const std::map<int, std::string>& answers) {
  std::string out;
  for (const auto& [number, answer] : answers) {
    out += (out.empty() ? "" : "; ") + std::to_string(number) + ": " + answer;
  }
  return out.empty() ? "nothing" : out;
}

std::string text(const std::optional<Millis>& time) {
  return time ? std::to_string(time->count()) : "none";
}

std::string text(const Ask& ask) {
  std::ostringstream out;
  out << "f" << ask.fingerprint << " payload " << ask.payload.value_or(0) << " lease "
      << ask.terms.lease.count() << " window " << ask.terms.window.count()
      << (ask.terms.unknown == OnUnknown::hold ? " hold" : "") << " wait " << ask.wait.count();
  if (const auto& entity = ask.entity) {
    out << ", e" << entity->key << " turn " << text(entity->turn) << " closes "
        << text(entity->closes) << (entity->unless_closed ? " unless_closed" : "");
    if (entity->sequence) out << " sequence " << *entity->sequence;
  }
  if (ask.rate) out << ", rate " << ask.rate->key;
  return out.str();
}

/// The store and what it may be by the model, side by side.
class Run {
 public:
  explicit Run(std::uint64_t seed)
      : seed_(seed), random_(seed), sync_(percent(20) ? Sync::all : Sync::none), world_(sync_) {}

  void go(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }

 private:
  using Chance = std::uint64_t;

  Chance below(Chance of) { return random_() % of; }
  bool percent(Chance of) { return below(100) < of; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

  void step() {
    const Chance what = below(1'000);
    if (what < 450) return reserve();
    if (what < 800) return settle_one();
    if (what < 830) return settle_a_used_one();
    if (what < 980) return advance();
    if (what < 985) return without_disk();
    return reopen();
  }

  Ask ask(bool waits) {
    Ask out;
    out.fingerprint = static_cast<int>(below(14));
    if (percent(75)) out.payload = percent(80) ? 1 : 2;
    out.terms.lease = one_of({Millis(2'000), Millis(5'000), Millis(20'000)});
    out.terms.window = one_of({Millis(15'000), Millis(60'000)});
    out.terms.unknown = out.fingerprint % 3 == 0 ? OnUnknown::hold : OnUnknown::retry;
    const bool crowded = !waits || states_.front().waiting.size() >= 5;
    if (percent(40) && !crowded) out.wait = Millis(1 + below(8'000));
    if (percent(60)) out.entity = of_entity(crowded);
    if (percent(45)) out.rate = of_rate();
    return out;
  }

  Ask::OfEntity of_entity(bool crowded) {
    Ask::OfEntity out;
    out.key = static_cast<int>(below(3));
    if (percent(80)) out.turn = Millis(crowded || percent(10) ? 0 : 1 + below(15'000));
    if (percent(50))
      out.sequence = percent(30) ? sequence_ - static_cast<std::int64_t>(below(8)) : ++sequence_;
    if (percent(35)) out.closes = one_of({Millis(1'000), Millis(30'000), Millis(90'000)});
    out.unless_closed = percent(50);
    return out;
  }

  Ask::OfRate of_rate() {
    static const std::array<Ask::OfRate, 3> limits{
        {{0, 2, Millis(120'000)}, {1, 5, Millis(600'000)}, {2, 1, Millis(40'000)}}};
    return limits.at(below(limits.size()));
  }

  int next() { return ++last_number_; }

  void reserve(bool failing = false) {
    const int call = next();
    asks_[call] = ask(!failing);
    note(call, "reserve " + text(asks_[call]));
    world_.reserve(call, asks_[call]);
    compare([&](Step& step) { step.reserve(call); }, failing);
  }

  void settle_one(bool failing = false) {
    const auto& permits = world_.permits();
    if (permits.empty()) return reserve(failing);
    const int permit =
        std::next(permits.begin(), static_cast<std::ptrdiff_t>(below(permits.size())))->first;
    if (!failing && percent(12)) {
      note(permit, "drop");
      world_.drop(permit);
      return compare([&](Step& step) { step.drop(permit); });
    }
    settle(permit, failing);
  }

  void settle_a_used_one() {
    const auto used = world_.used_permits();
    if (used.empty()) return;
    settle(*std::next(used.begin(), static_cast<std::ptrdiff_t>(below(used.size()))), false);
  }

  void settle(int permit, bool failing) {
    const int verb = next();
    const std::string what = " " + std::to_string(permit);
    const Chance how = below(100);
    if (how < 50) {
      const int answer = ++answers_ % completions_max;
      note(verb, "complete" + what + " with " + std::to_string(answer));
      world_.complete(verb, permit, answer);
      compare([&](Step& step) { step.complete(verb, permit, answer); }, failing);
    } else if (how < 75) {
      note(verb, "release" + what);
      world_.release(verb, permit);
      compare([&](Step& step) { step.release(verb, permit); }, failing);
    } else {
      note(verb, "mark_unknown" + what);
      world_.mark_unknown(verb, permit);
      compare([&](Step& step) { step.mark_unknown(verb, permit); }, failing);
    }
  }

  void advance() {
    const Millis target =
        world_.now() + one_of({Millis(1), Millis(50), Millis(400), Millis(1'500), Millis(1'500),
                               Millis(5'000), Millis(5'000), Millis(21'000), Millis(70'000)});
    while (world_.now() < target) {
      const auto first = world_.next_timer();
      turn_clock_to(first ? std::min(target, first->at) : target);
      // Turning it may have ended some.
      for (auto due = world_.next_timer(); due && due->at <= world_.now();
           due = world_.next_timer()) {
        note(due->call, "its timer goes off");
        world_.expire_next();
        compare([&](Step& step) { step.time_over(due->call); });
      }
      keep([&](const State& state) {
        return std::none_of(state.waiting.begin(), state.waiting.end(),
                            [&](const auto& wait) { return wait.second <= state.now; });
      });
      if (states_.empty()) failed("a call has no timer and waits for ever");
    }
  }

  void turn_clock_to(Millis at) {
    note(0, "the clock is turned to " + std::to_string(at.count()));
    world_.turn_clock_to(at);
    compare([&](Step& step) { step.clock(at); });
  }

  void reopen() {
    note(0, "reopen");
    world_.reopen();
    compare([](Step& step) { step.reopen(); });
  }

  void without_disk() {
    using Fault = onceproxy::store::testing::FaultyFileSystem::Fault;
    if (!states_.front().waiting.empty()) return;
    note(0, "nothing can be written:");
    // A release is never synced, and neither is anything where nothing is.
    const bool unsynced = sync_ == Sync::all && percent(50);
    const Fault fault = unsynced      ? Fault::log_sync
                        : percent(50) ? Fault::log_append
                                      : Fault::log_append_half;
    world_.without_disk(fault, [&] {
      if (unsynced || percent(50)) {
        reserve(true);
      } else {
        settle_one(true);
      }
    });
    compare([](Step&) {});
  }

  /// What the model may have become by the step, as far as the store says so too.
  template <typename Does>
  void compare(Does&& does, bool failing = false) {
    std::vector<State> after;
    for (const State& before : states_) {
      Choices choices;
      do {
        State state = before;
        Step step(state, asks_, choices, failing);
        does(step);
        if (std::find(after.begin(), after.end(), state) == after.end()) {
          after.push_back(std::move(state));
        }
      } while (choices.next());
    }
    const auto answers = world_.answers();
    history_.back() += " -> " + text(answers);
    std::string expected;
    for (const State& state : after) expected += "\n  " + text(state.told);
    states_ = std::move(after);
    keep([&](const State& state) { return state.told == answers; });
    if (states_.empty()) failed("the model expects" + expected);
    for (State& state : states_) state.told.clear();
    if (states_.size() > 2'000) failed("too many orders would have been right");
  }

  template <typename Is>
  void keep(Is&& is) {
    states_.erase(std::remove_if(states_.begin(), states_.end(),
                                 [&](const State& state) { return !is(state); }),
                  states_.end());
  }

  void note(int number, const std::string& what) {
    history_.push_back((number == 0 ? "" : std::to_string(number) + " ") + what);
  }

  [[noreturn]] void failed(const std::string& why) {
    std::ostringstream out;
    out << "ONCEPROXY_MODEL_SEED=" << seed_ << " ONCEPROXY_MODEL_ROUNDS=1 repeats it\n";
    const std::size_t shown = std::min<std::size_t>(history_.size(), 60);
    for (std::size_t i = history_.size() - shown; i < history_.size(); ++i) {
      out << history_[i] << "\n";
    }
    throw std::runtime_error(out.str() + why);
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  const Sync sync_;
  World world_;
  std::vector<State> states_{State{}};
  std::map<int, Ask> asks_;
  std::vector<std::string> history_;
  int last_number_ = 0;
  int answers_ = 0;
  std::int64_t sequence_ = 0;
};

}  // namespace

TEST_CASE("the store answers random requests as the model does") {
  const std::uint64_t rounds = from_environment("ONCEPROXY_MODEL_ROUNDS", 4);
  const std::uint64_t seed = from_environment("ONCEPROXY_MODEL_SEED", 1);
  std::cout << "ONCEPROXY_MODEL_SEED=" << seed << std::endl;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    CHECK_NOTHROW(Run(seed + round).go(400));
  }
}
