// Queue: a window on what a listener has pending. The ledger holds all of it, in the order of the
// events' numbers; the queue holds a bounded number of rows and knows where to read on, so memory
// stays flat however much is pending.
//
// Of an entity's rows only the first may be taken, one at a time: that is what keeps their order.
// Rows without an entity go beside any other. Where nothing that is held can go, rows are let go to
// look further: their entities stay remembered, so that nothing overtakes, and what was let go is
// read again once it may be due.
//
// It reads nothing itself, and knows no listener. Pure: time is passed in. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "store/event.hpp"

namespace onceproxy::delivery {

class Queue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Row {
    store::EventNumber event = 0;
    /// May not be taken before.
    Time due{};
    /// Those that have ended.
    std::uint32_t attempts = 0;
    std::optional<store::EntityKey> entity;
    /// It waits for an operator: it is not held here, and its entity's later ones are not either.
    bool parked = false;
  };

  struct Limits {
    std::size_t rows_max = 512;
    /// Entities that have rows which are not held.
    std::size_t skipped_max = 4'096;
    /// Between two times that all is read anew.
    std::chrono::milliseconds reread_interval{1'000};
    /// Between two pages that are read only to look past rows which cannot go: an entity with a
    /// long backlog must not keep the disk busy.
    std::chrono::milliseconds look_interval{10};
  };

  Queue() = default;
  explicit Queue(const Limits& limits) : limits_(limits) {}

  /// How many rows are to be read, behind after(); 0: none now. May let rows go for that.
  std::size_t wants(Time now);
  store::EventNumber after() const { return after_; }
  /// What was read behind after(), in order. `more`: there are others behind these.
  void add_page(std::span<const Row> rows, bool more);

  /// A row that was just made, with a number above all before it.
  void add_new(const Row& row);
  /// A row was made pending again whose number may have been read already.
  void reread() { reread_wanted_ = true; }
  /// Every row may go at once; those that are not held are read again.
  void make_all_due();
  /// Rows may have been made that were not told of.
  void read_on() { caught_up_ = false; }

  /// Whether take() has one.
  bool ready(Time now) const { return !ready_.empty() && ready_.begin()->first <= now; }
  /// The next row that may go, which is from now on under way.
  std::optional<Row> take(Time now);
  /// From when take() may have one; nothing: not before something else happens.
  std::optional<Time> next_due() const;

  /// What was taken will not go again.
  void end(store::EventNumber event);
  /// What was taken goes again at `due`.
  void retry(store::EventNumber event, Time due, std::uint32_t attempts);

  /// What was taken waits for an operator now; reread() looks whether that is over.
  void park(store::EventNumber event);

  std::size_t held() const { return rows_.size(); }
  std::size_t under_way() const { return under_way_; }
  /// Nothing is held, and nothing is left to read.
  bool idle() const { return rows_.empty() && caught_up_ && !reread_wanted_; }

 private:
  struct Held {
    Row row;
    bool taken = false;
  };
  struct Entity {
    std::set<store::EventNumber> held;
    bool taken = false;
    /// It has rows that are not held, behind those that are.
    bool skipped = false;
  };
  using Ready = std::set<std::pair<Time, store::EventNumber>>;

  void add(const Row& row);
  /// `row` may go as far as its entity is concerned.
  void make_ready(const Row& row) { ready_.emplace(row.due, row.event); }
  void skip(const Row& row);
  bool may_look(Time now);
  void let_go();
  void release(const Held& held);
  bool begin_reread(Time now);

  Limits limits_;
  std::map<store::EventNumber, Held> rows_;
  std::unordered_map<store::EntityKey, Entity> entities_;
  /// Rows that are first of their entity, or have none, and are not under way.
  Ready ready_;
  std::size_t under_way_ = 0;
  std::size_t skipped_ = 0;
  /// All up to here was read.
  store::EventNumber after_ = 0;
  bool caught_up_ = false;
  bool reread_wanted_ = false;
  /// The earliest that a row which was let go is due.
  std::optional<Time> let_go_due_;
  std::optional<Time> last_reread_;
  std::optional<Time> last_look_;
};

}  // namespace onceproxy::delivery
