#include "proxy/delivery/queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;
using Row = Queue::Row;

const Queue::Time start{std::chrono::hours(1)};

store::EntityKey entity(std::uint8_t number) {
  store::EntityKey key;
  key.bytes[0] = number;
  return key;
}

Row row(store::EventNumber event, Queue::Time due = start) {
  return {event, due, 0, std::nullopt, false};
}

Row row_of(store::EventNumber event, std::uint8_t of, Queue::Time due = start) {
  return {event, due, 0, entity(of), false};
}

std::vector<store::EventNumber> take_all(Queue& queue, Queue::Time now) {
  std::vector<store::EventNumber> taken;
  while (const auto next = queue.take(now)) taken.push_back(next->event);
  return taken;
}

using Numbers = std::vector<store::EventNumber>;

TEST_CASE("Rows without an entity go beside each other, once they are due", "[queue]") {
  Queue queue;
  const std::vector rows{row(1), row(2, start + milliseconds(50)), row(3)};
  queue.add_page(rows, false);
  CHECK(take_all(queue, start) == Numbers{1, 3});
  CHECK(queue.next_due() == start + milliseconds(50));
  CHECK(take_all(queue, start + milliseconds(50)) == Numbers{2});
}

TEST_CASE("Of an entity one row goes at a time, in order", "[queue]") {
  Queue queue;
  const std::vector rows{row_of(1, 1), row_of(2, 1), row_of(3, 2)};
  queue.add_page(rows, false);
  CHECK(take_all(queue, start) == Numbers{1, 3});
  queue.end(1);
  CHECK(take_all(queue, start) == Numbers{2});
}

TEST_CASE("What is to be retried holds up its entity and nothing else", "[queue]") {
  Queue queue;
  const std::vector rows{row_of(1, 1), row_of(2, 1), row_of(3, 2)};
  queue.add_page(rows, false);
  take_all(queue, start);
  queue.retry(1, start + milliseconds(100), 1);
  CHECK(take_all(queue, start).empty());
  const auto again = queue.take(start + milliseconds(100));
  REQUIRE(again);
  CHECK(again->event == 1);
  CHECK(again->attempts == 1);
}

TEST_CASE("A new row is held at once where all before it was read, and else found later",
          "[queue]") {
  Queue queue({4, 10, milliseconds(0), milliseconds(0)});
  queue.add_new(row(1));
  CHECK(queue.held() == 0);
  queue.add_page({}, false);
  queue.add_new(row(1));
  CHECK(take_all(queue, start) == Numbers{1});
  for (store::EventNumber n = 2; n <= 9; ++n) queue.add_new(row(n));
  CHECK(queue.held() == 4);
  CHECK(take_all(queue, start) == Numbers{2, 3, 4});
  for (store::EventNumber n = 1; n <= 4; ++n) queue.end(n);
  CHECK(queue.wants(start) == 4);
  CHECK(queue.after() == 4);
}

TEST_CASE("A redriven row is found below what was read", "[queue]") {
  Queue queue;
  const std::vector rows{row(5)};
  queue.add_page(rows, false);
  take_all(queue, start);
  queue.end(5);
  CHECK(queue.idle());
  queue.reread();
  CHECK_FALSE(queue.idle());
  CHECK(queue.wants(start) > 0);
  CHECK(queue.after() == 0);
}

TEST_CASE("What is pending again is read although others are always at hand", "[queue]") {
  Queue queue;
  const std::vector rows{row(5), row(6)};
  queue.add_page(rows, false);
  queue.reread();
  CHECK(queue.wants(start) == 0);
  CHECK(queue.wants(start + milliseconds(1'999)) == 0);
  CHECK(queue.wants(start + milliseconds(2'000)) == 510);
  CHECK(queue.after() == 0);
  const std::vector all{row(3), row(5), row(6)};
  queue.add_page(all, false);
  CHECK(take_all(queue, start) == Numbers{3, 5, 6});
}

TEST_CASE("A queue of an entity that waits is looked past", "[queue]") {
  Queue queue({4, 10, milliseconds(0), milliseconds(0)});
  const std::vector rows{row_of(1, 1), row_of(2, 1), row_of(3, 1), row_of(4, 1)};
  queue.add_page(rows, true);
  REQUIRE(take_all(queue, start) == Numbers{1});
  REQUIRE(queue.wants(start) > 0);
  REQUIRE(queue.after() == 4);
  const std::vector further{row_of(5, 1), row_of(6, 2)};
  queue.add_page(further, false);
  // 5 may not overtake 2, which is not held any more.
  CHECK(take_all(queue, start) == Numbers{6});
  queue.end(6);
  queue.end(1);
  REQUIRE(queue.wants(start) > 0);
  CHECK(queue.after() == 0);
}

TEST_CASE("An earlier row goes when the one under way turns out to wait for an operator",
          "[queue]") {
  Queue queue;
  std::vector<Row> rows{row_of(5, 1)};
  queue.add_page(rows, false);
  REQUIRE(take_all(queue, start) == Numbers{5});
  queue.reread();
  rows = {row_of(3, 1), row_of(5, 1)};
  queue.add_page(rows, false);
  CHECK(take_all(queue, start).empty());
  queue.park(5);
  CHECK(take_all(queue, start) == Numbers{3});
}

TEST_CASE("A row that is made due goes at once, and those of its entity after it", "[queue]") {
  Queue queue;
  const auto late = start + std::chrono::hours(1);
  const std::vector rows{row_of(1, 1, late), row_of(2, 1, late), row(3, late)};
  queue.add_page(rows, false);
  CHECK(take_all(queue, start).empty());
  queue.make_due(2);
  queue.make_due(4);
  CHECK(take_all(queue, start).empty());
  queue.make_due(1);
  CHECK(take_all(queue, start) == Numbers{1});
  queue.make_due(1);
  queue.end(1);
  CHECK(take_all(queue, start) == Numbers{2});
}

TEST_CASE("What waits for an operator holds up its entity until it is looked at again", "[queue]") {
  Queue queue({8, 10, milliseconds(0), milliseconds(0)});
  std::vector rows{row_of(1, 1), row_of(2, 1), row_of(3, 2)};
  queue.add_page(rows, false);
  REQUIRE(take_all(queue, start) == Numbers{1, 3});
  queue.park(1);
  queue.end(3);
  CHECK(take_all(queue, start + std::chrono::hours(100)).empty());
  CHECK(queue.under_way() == 0);
  queue.reread();
  REQUIRE(queue.wants(start) > 0);
  rows = {row_of(1, 1), row_of(2, 1)};
  rows.front().parked = true;
  queue.add_page(rows, false);
  CHECK(take_all(queue, start).empty());
  // It was dropped.
  queue.reread();
  REQUIRE(queue.wants(start) > 0);
  rows.erase(rows.begin());
  queue.add_page(rows, false);
  CHECK(take_all(queue, start) == Numbers{2});
}

/// What is pending of one listener, as a ledger has it.
class Pending {
 public:
  explicit Pending(std::uint32_t seed) : random_(seed) {}

  Row make(Queue::Time now) {
    Row row{++last_, now, 0, std::nullopt, false};
    if (draw(4) != 0) row.entity = entity(static_cast<std::uint8_t>(draw(entities_)));
    return rows_.emplace_back(row);
  }
  std::vector<Row> page(store::EventNumber after, std::size_t limit, bool& more) const {
    std::vector<Row> page;
    more = false;
    for (const Row& row : rows_) {
      if (row.event <= after) continue;
      more = page.size() == limit;
      if (more) break;
      page.push_back(row);
    }
    return page;
  }
  void end(store::EventNumber event) {
    std::erase_if(rows_, [&](const Row& row) { return row.event == event; });
  }
  void retry(store::EventNumber event, Queue::Time due) {
    Row& row = *std::ranges::find(rows_, event, &Row::event);
    row.due = due;
    ++row.attempts;
  }
  /// Nothing of the same entity is pending before it.
  bool first_of_entity(const Row& row) const {
    return !row.entity || std::ranges::none_of(rows_, [&](const Row& other) {
      return other.entity == row.entity && other.event < row.event;
    });
  }
  bool empty() const { return rows_.empty(); }
  std::uint32_t draw(std::uint32_t below) { return random_() % below; }

 private:
  std::mt19937 random_;
  std::vector<Row> rows_;
  store::EventNumber last_ = 0;
  std::uint32_t entities_ = 7;
};

TEST_CASE("Whatever fails, everything goes, in order for each entity, out of a small window",
          "[queue]") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Pending pending(seed);
    Queue queue({8, 5, milliseconds(20), milliseconds(1)});
    Queue::Time now = start;
    std::vector<Row> under_way;
    std::size_t made = 0, rounds = 0;
    while (made < 400 || !pending.empty()) {
      REQUIRE(++rounds < 60'000);
      now += milliseconds(1);
      if (made < 400 && pending.draw(2) == 0) {
        ++made;
        const Row fresh = pending.make(now);
        // Some are never told of, as where the ledger had to let the word go.
        if (made < 390 || made == 400) queue.add_new(fresh);
      }
      if (const std::size_t wanted = queue.wants(now)) {
        bool more = false;
        const auto page = pending.page(queue.after(), wanted, more);
        queue.add_page(page, more);
      }
      REQUIRE(queue.held() <= 8);
      while (under_way.size() < 4) {
        const auto next = queue.take(now);
        if (!next) break;
        REQUIRE(next->due <= now);
        REQUIRE(pending.first_of_entity(*next));
        under_way.push_back(*next);
      }
      if (!under_way.empty() && pending.draw(3) != 0) {
        const std::size_t which = pending.draw(static_cast<std::uint32_t>(under_way.size()));
        const Row ended = under_way[which];
        under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(which));
        if (pending.draw(3) == 0) {
          const auto due = now + milliseconds(pending.draw(60));
          pending.retry(ended.event, due);
          queue.retry(ended.event, due, ended.attempts + 1);
        } else {
          pending.end(ended.event);
          queue.end(ended.event);
        }
      }
      if (made == 400 && pending.draw(500) == 0) queue.reread();
    }
    CHECK(queue.under_way() == 0);
  }
}

}  // namespace
}  // namespace onceproxy::delivery
