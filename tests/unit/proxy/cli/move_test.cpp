#include "proxy/cli/move.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <map>

namespace onceproxy::cli {
namespace {

using namespace std::chrono_literals;
using store::Record;

store::Fingerprint name(std::uint8_t number) {
  store::Fingerprint out;
  out.bytes[0] = number;
  return out;
}

store::EntityKey entity_name(std::uint8_t number) {
  store::EntityKey out;
  out.bytes[0] = number;
  return out;
}

/// A store in memory that can fail after so many writes.
struct Imagined {
  std::map<store::Fingerprint, Record> records;
  std::map<store::EntityKey, store::Entity> entities;
  std::uint64_t fence = 0;
  int writes_left = 1'000;
  std::size_t largest_group = 0;

  void read_records(const std::function<void(const store::CarriedRecord&)>& each) {
    for (const auto& one : records) each({one.first, one.second});
  }
  void read_entities(const std::function<void(const store::CarriedEntity&)>& each) {
    for (const auto& one : entities) each({one.first, one.second});
  }
  void read_rates(const std::function<void(const store::CarriedRate&)>&) {}
  std::size_t write_records(const std::vector<store::CarriedRecord>& group) {
    if (writes_left-- == 0) throw std::runtime_error("the disk is full");
    largest_group = std::max(largest_group, group.size());
    std::size_t added = 0;
    for (const auto& one : group) added += records.insert(one).second ? 1 : 0;
    return added;
  }
  std::size_t write_entities(const std::vector<store::CarriedEntity>& group) {
    std::size_t added = 0;
    for (const auto& one : group) added += entities.insert(one).second ? 1 : 0;
    return added;
  }
  std::size_t write_rates(const std::vector<store::CarriedRate>&) { return 0; }
  void raise_fence(std::uint64_t above) { fence = std::max(fence, above); }
  std::uint64_t highest_fence() const { return fence; }
};

Record completed(std::uint64_t fence, std::string body = "answer") {
  Record out;
  out.state = Record::State::completed;
  out.fence = fence;
  out.nonce[0] = static_cast<std::uint8_t>(fence);
  out.answer.body = std::move(body);
  return out;
}

Imagined full() {
  Imagined out;
  for (std::uint8_t n = 0; n < 100; ++n) out.records[name(n)] = completed(n + 1);
  store::Entity closed;
  closed.type = "ride";
  closed.id = "r1";
  closed.closed_until = store::WallTime(1'000'000s);
  out.entities[entity_name(1)] = closed;
  out.fence = 100;
  return out;
}

TEST_CASE("all is moved, and a second run finds it there") {
  Imagined from = full();
  Imagined to;
  Moved moved = move(from, to, false);
  CHECK(moved.records.live == 100);
  CHECK(moved.records.added == 100);
  CHECK(moved.entities.added == 1);
  CHECK(to.fence == 100);
  CHECK(to.records.size() == 100);
  moved = move(from, to, false);
  CHECK(moved.records.live == 100);
  CHECK(moved.records.added == 0);
  CHECK(moved.entities.added == 0);
}

TEST_CASE("a dry run counts and writes nothing") {
  Imagined from = full();
  Imagined to;
  const Moved moved = move(from, to, true);
  CHECK(moved.records.live == 100);
  CHECK(moved.records.added == 0);
  CHECK(to.records.empty());
  CHECK(to.fence == 0);
}

TEST_CASE("a move that was interrupted is completed by the next, and gave no fence away") {
  Imagined from = full();
  for (std::uint8_t n = 0; n < 100; ++n) {
    from.records[name(n)] = completed(n + 1, std::string(1 << 20, 'x'));
  }
  Imagined to;
  to.writes_left = 3;
  CHECK_THROWS_WITH(move(from, to, false), "the disk is full");
  CHECK(to.fence == 100);
  CHECK(to.largest_group <= 8);
  to.writes_left = 1'000;
  const std::size_t there = to.records.size();
  CHECK(there > 0);
  CHECK(move(from, to, false).records.added == 100 - there);
}

TEST_CASE(
    "records that the source has changed or forgotten since an earlier run prevent the move") {
  const auto refused = [](const std::function<void(Imagined&, Imagined&)>& change) {
    Imagined from = full();
    Imagined to;
    move(from, to, false);
    change(from, to);
    const std::size_t before = to.records.size();
    const std::uint64_t fence = to.fence;
    CHECK_THROWS_WITH(move(from, to, false), Catch::Contains("nothing was moved"));
    CHECK(to.records.size() == before);
    CHECK(to.fence == fence);
  };
  refused([](Imagined& from, Imagined&) { from.records.erase(name(7)); });
  refused([](Imagined& from, Imagined&) { from.records[name(7)] = completed(200); });
  refused([](Imagined&, Imagined& to) { to.records[name(200)] = completed(300); });
  refused([](Imagined&, Imagined& to) { to.records[name(7)].state = Record::State::reserved; });
  refused([](Imagined& from, Imagined&) { from.entities.clear(); });
  refused([](Imagined& from, Imagined&) { from.entities[entity_name(1)].closed_until = {}; });
  refused([](Imagined& from, Imagined&) { from.entities[entity_name(1)].highest = 5; });
}

TEST_CASE("records that the source got since the last run are moved too") {
  Imagined from = full();
  Imagined to;
  move(from, to, false);
  from.records[name(200)] = completed(300);
  CHECK(move(from, to, false).records.added == 1);
}

}  // namespace
}  // namespace onceproxy::cli
