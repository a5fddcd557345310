// Carrying live records from one store to another: the order of the steps, and what makes it safe
// to repeat. `From` and `To` are RocksDbTransfer and PostgresTransfer, either way round; a test has
// its own. Errors are the transfers', and std::runtime_error if the destination holds something
// else.
//
// A destination may hold what an earlier move brought, and nothing else: a record that the source
// has since completed, or forgotten, would otherwise come back to life in its earlier state.
// Bounds: all of what the destination holds is compared in memory, about 150 bytes an operation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "store/carried.hpp"

namespace onceproxy::cli {

struct Moved {
  struct Count {
    std::size_t live = 0;   ///< in the source
    std::size_t added = 0;  ///< that the destination did not have
  };
  Count records;
  Count entities;
  Count rates;
  std::uint64_t fence = 0;
};

/// Groups so that neither a transaction nor a batch gets large.
inline constexpr std::size_t move_group_max = 1'000;
inline constexpr std::size_t move_group_bytes_max = std::size_t{8} << 20;

inline std::size_t carried_bytes(const store::CarriedRecord& one) {
  return one.second.answer.head.size() + one.second.answer.body.size() + 500;
}
template <typename Other>
std::size_t carried_bytes(const Other&) {
  return 500;
}

/// What tells one state of an operation from another.
struct StateOf {
  store::Record::State state{};
  store::Nonce nonce{};
  std::uint64_t fence = 0;

  explicit StateOf(const store::Record& record)
      : state(record.state), nonce(record.nonce), fence(record.fence) {}
  bool operator==(const StateOf&) const = default;
};

/// The same for an entity. After a move its times are in another clock, so they may differ by the
/// drift of the two clocks in the meantime.
inline bool same_state(const store::Entity& a, const store::Entity& b) {
  constexpr std::chrono::milliseconds drift{5'000};
  const auto apart = a.closed_until - b.closed_until;
  return a.highest == b.highest && apart < drift && -apart < drift;
}

template <typename From, typename To>
void refuse_other_records(From& from, To& to) {
  std::unordered_map<store::Fingerprint, StateOf> there;
  to.read_records(
      [&](const store::CarriedRecord& one) { there.emplace(one.first, StateOf(one.second)); });
  if (there.empty()) return;
  from.read_records([&](const store::CarriedRecord& one) {
    const auto found = there.find(one.first);
    if (found != there.end() && found->second == StateOf(one.second)) there.erase(found);
  });
  if (there.empty()) return;
  throw std::runtime_error(
      "the destination holds " + std::to_string(there.size()) +
      " operations that the source does not have, or has in another state, such as " +
      there.begin()->first.hex() +
      "; nothing was moved. Move to an empty store: another directory, or another schema");
}

template <typename From, typename To>
void refuse_other_entities(From& from, To& to) {
  std::unordered_map<store::EntityKey, store::Entity> there;
  to.read_entities([&](const store::CarriedEntity& one) { there.insert(one); });
  if (there.empty()) return;
  from.read_entities([&](const store::CarriedEntity& one) {
    const auto found = there.find(one.first);
    if (found != there.end() && same_state(found->second, one.second)) there.erase(found);
  });
  if (there.empty()) return;
  const store::Entity& one = there.begin()->second;
  throw std::runtime_error(
      "the destination holds " + std::to_string(there.size()) +
      " entities that the source does not have, or has in another state, such as " + one.type +
      "/" + one.id +
      "; nothing was moved. Move to an empty store: another directory, or another schema");
}

/// Calls `write` with group after group of what `read` gives. With `dry_run` it only counts.
template <typename Value, typename Read, typename Write>
Moved::Count carry(const Read& read, const Write& write, bool dry_run) {
  Moved::Count count;
  std::vector<Value> group;
  std::size_t bytes = 0;
  const auto flush = [&] {
    if (!group.empty()) count.added += write(group);
    group.clear();
    bytes = 0;
  };
  read([&](const Value& one) {
    ++count.live;
    if (dry_run) return;
    bytes += carried_bytes(one);
    group.push_back(one);
    if (group.size() >= move_group_max || bytes >= move_group_bytes_max) flush();
  });
  flush();
  return count;
}

template <typename From, typename To>
Moved move(From& from, To& to, bool dry_run) {
  refuse_other_records(from, to);
  refuse_other_entities(from, to);
  Moved moved;
  moved.fence = from.highest_fence();
  // First: whatever of the rest gets lost, no fence is given twice.
  if (!dry_run) to.raise_fence(moved.fence);
  moved.entities = carry<store::CarriedEntity>(
      [&](const auto& each) { from.read_entities(each); },
      [&](const auto& group) { return to.write_entities(group); }, dry_run);
  moved.rates =
      carry<store::CarriedRate>([&](const auto& each) { from.read_rates(each); },
                                [&](const auto& group) { return to.write_rates(group); }, dry_run);
  moved.records = carry<store::CarriedRecord>(
      [&](const auto& each) { from.read_records(each); },
      [&](const auto& group) { return to.write_records(group); }, dry_run);
  return moved;
}

}  // namespace onceproxy::cli
