// Queue: the next pending deliveries of one listener. The ledger has all pending deliveries in the
// order of the events' numbers. The queue has a limited number of their rows in memory and
// remembers where to continue reading, so its memory does not grow with the backlog.
//
// Only the first row of an entity may be taken, and only one at a time; this preserves the order.
// Rows without an entity are independent. If no row in memory may be taken, rows are removed from
// memory to read further ones. Their entities stay remembered, so that no later row of these
// entities is taken first. The removed rows are read again when they may be due.
//
// It does not read from the ledger itself. Pure: time is passed in. Not thread-safe.
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
    /// The row may not be taken before this time.
    Time due{};
    /// The number of attempts that have ended.
    std::uint32_t attempts = 0;
    std::optional<store::EntityKey> entity;
    /// The delivery waits for an operator. Neither this row nor later rows of its entity are kept
    /// in memory.
    bool parked = false;
    /// The row is due although the ledger has a later time for it (make_all_due()).
    bool early = false;
  };

  struct Limits {
    std::size_t rows_max = 512;
    /// The number of entities with rows that are not in memory.
    std::size_t skipped_max = 4'096;
    /// The shortest time between two reads of the whole backlog.
    std::chrono::milliseconds reread_interval{1'000};
    /// The shortest time between two pages that are read only to skip rows that cannot be taken. An
    /// entity with a long backlog must not keep the disk busy.
    std::chrono::milliseconds look_interval{10};
    /// So long what was made pending again waits where rows that may go are always at hand.
    std::chrono::milliseconds reread_overdue{2'000};
  };

  Queue() = default;
  explicit Queue(const Limits& limits) : limits_(limits) {}

  /// How many rows to read after after(); 0: none now. It may remove rows from memory for this.
  std::size_t wants(Time now);
  store::EventNumber after() const { return after_; }
  /// Adds rows that were read after after(), in order. `more`: whether there are further rows.
  /// `reached`: the number up to which there are no others, if this is not the last one's.
  void add_page(std::span<const Row> rows, bool more, store::EventNumber reached = 0);

  /// Adds a new row, whose number is larger than all earlier ones.
  void add_new(const Row& row);
  /// A row became pending again, and its number may already have been passed.
  void reread() { reread_wanted_ = true; }
  /// The row is due now, if it is in memory.
  void make_due(store::EventNumber event);
  /// All rows are due now; rows that are not in memory are read again.
  void make_all_due();
  /// There may be new rows without a notification. They are read before any row is added by
  /// add_new().
  void read_on() { caught_up_ = false; }

  /// Whether take() would return a row.
  bool ready(Time now) const { return !ready_.empty() && ready_.begin()->first <= now; }
  /// Takes the next row that is due. It then counts as under way.
  std::optional<Row> take(Time now);
  /// When take() may return a row; nothing if this needs another event first.
  std::optional<Time> next_due() const;

  /// The delivery of a taken row has ended.
  void end(store::EventNumber event);
  /// A taken row is attempted again at `due`.
  void retry(store::EventNumber event, Time due, std::uint32_t attempts);

  /// A taken row now waits for an operator; reread() checks whether this is over.
  void park(store::EventNumber event);

  std::size_t held() const { return rows_.size(); }
  std::size_t under_way() const { return under_way_; }
  /// No row is in memory, and none is left to read.
  bool idle() const { return rows_.empty() && caught_up_ && !reread_wanted_; }

 private:
  struct Held {
    Row row;
    bool taken = false;
  };
  struct Entity {
    std::set<store::EventNumber> held;
    bool taken = false;
    /// There are further rows of the entity that are not in memory.
    bool skipped = false;
  };
  using Ready = std::set<std::pair<Time, store::EventNumber>>;

  void add(const Row& row);
  /// `row` is the first of its entity and may be taken when it is due.
  void make_ready(const Row& row) { ready_.emplace(row.due, row.event); }
  void skip(const Row& row);
  bool may_look(Time now);
  void let_go();
  void release(const Held& held);
  bool begin_reread(Time now);

  Limits limits_;
  std::map<store::EventNumber, Held> rows_;
  std::unordered_map<store::EntityKey, Entity> entities_;
  /// Rows that may be taken when they are due: they have no entity or are the first of it, and are
  /// not under way.
  Ready ready_;
  std::size_t under_way_ = 0;
  std::size_t skipped_ = 0;
  /// All rows up to this number have been read.
  store::EventNumber after_ = 0;
  bool caught_up_ = false;
  bool reread_wanted_ = false;
  /// The time at which wants() first saw `reread_wanted_`.
  std::optional<Time> reread_wanted_since_;
  /// When the first of the removed rows is due.
  std::optional<Time> let_go_due_;
  std::optional<Time> last_reread_;
  std::optional<Time> last_look_;
};

}  // namespace onceproxy::delivery
