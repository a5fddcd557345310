// The rules of the store, written down a second time: from store.hpp and the README, in memory, one
// step after the other, and for readers instead of machines. model_test.cpp asks both the same.
//
// Where the store may do several things at once, in whichever order its threads come to them (a
// turn passes on while a claim is handed over), every order is right. So a step ends in a set of
// states, one for each order that makes a difference, and what the store answers says which of them
// are left. No disk, no thread, no clock: time is a number of milliseconds.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/terms.hpp"

namespace onceproxy::store::model {

using Millis = std::chrono::milliseconds;
using Nanos = std::chrono::nanoseconds;

/// What a reserve asks. Fingerprints, payloads, entities and rate limits are small numbers.
struct Ask {
  int fingerprint = 0;
  std::optional<int> payload;
  Terms terms;
  Millis wait{0};
  struct OfEntity {
    int key = 0;
    std::optional<Millis> turn;
    std::optional<std::int64_t> sequence;
    std::optional<Millis> closes;
    bool unless_closed = false;
  };
  std::optional<OfEntity> entity;
  struct OfRate {
    int key = 0;
    std::uint32_t limit = 1;
    Millis per{0};
  };
  std::optional<OfRate> rate;

  bool wants_turn() const { return entity && entity->turn; }
};

struct Record {
  enum class State { reserved, completed, unknown } state = State::reserved;
  std::optional<int> payload;
  int permit = 0;
  std::uint32_t attempt = 1;
  Millis lease_ends{0};
  Millis expires{0};
  /// Of a reservation: when its lease began, or was renewed last.
  Millis settled{0};
  /// A process made it that is gone.
  bool earlier = false;
  int answer = 0;

  bool operator==(const Record&) const = default;
};

/// Somebody in this process has the fingerprint: as a claim, queueing for a turn, or reserved.
struct Entry {
  int owner = 0;
  bool reserved = false;
  std::optional<int> payload;
  std::deque<int> parked;

  bool operator==(const Entry&) const = default;
};

struct Entity {
  Millis closed_until{0};
  std::optional<std::int64_t> highest;
  /// The sequence is known until the first; from the second on it is not. Between them, where
  /// windows of several lengths or a closing meet, both are right.
  Millis known_until{0};
  Millis forgotten_from{0};
  enum class Turn { open, taken, dead } turn = Turn::open;
  Millis dead_until{0};
  /// The last reservation that was made with the turn: its fingerprint and permit.
  std::optional<std::pair<int, int>> holder;
  std::deque<int> queue;

  bool operator==(const Entity&) const = default;
};

/// Something that the store has yet to do, and does at a time of its own.
struct PendingStep {
  enum class Kind { go_on, end_entry, pass_turn } kind = Kind::go_on;
  int which = 0;  ///< the call, the fingerprint, the entity
  bool completed = false;

  bool operator==(const PendingStep&) const = default;
};

struct State {
  Millis now{0};
  Millis begun{0};  ///< when the process that runs opened the store
  std::map<int, Record> records;
  std::map<int, Entry> entries;
  std::map<int, Entity> entities;
  std::map<int, Nanos> arrivals;  ///< of rate limits: the theoretical arrival time
  std::map<int, Millis> lasts;    ///< of rate limits: when the last token was taken
  std::map<int, Millis> tokens;   ///< of calls: when theirs was
  std::map<int, Millis> waiting;  ///< calls that wait, and when their time is over
  struct Hand {
    bool claim = false;
    bool turn = false;
    bool operator==(const Hand&) const = default;
  };
  std::map<int, Hand> hands;        ///< what calls under way have
  std::map<int, std::string> told;  ///< what this step answered
  std::vector<PendingStep> pending_steps;

  bool operator==(const State&) const = default;
};

/// Goes through every way a step can go: run it until next() says that there is no other.
class Choices {
 public:
  std::size_t choose(std::size_t of) {
    if (at_ == taken_.size()) taken_.push_back({0, of});
    return taken_[at_++].chosen;
  }
  bool next() {
    at_ = 0;
    while (!taken_.empty() && ++taken_.back().chosen == taken_.back().of) taken_.pop_back();
    return !taken_.empty();
  }

 private:
  struct Taken {
    std::size_t chosen;
    std::size_t of;
  };
  std::vector<Taken> taken_;
  std::size_t at_ = 0;
};

inline std::string held(std::optional<Millis> left) {
  return left ? "Held " + std::to_string(left->count()) : "Held";
}
inline std::string completed(int answer, Millis at) {
  return "Completed " + std::to_string(answer) + " at " + std::to_string(at.count());
}
inline std::string reserved(std::uint32_t attempt) {
  return "Reserved " + std::to_string(attempt);
}

}  // namespace onceproxy::store::model
