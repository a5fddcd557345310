// What the child that is killed and the test that looks afterwards agree on for entities and rate
// limits.
#pragma once

#include "store_fixture.hpp"

namespace onceproxy::store::crash {

using namespace std::chrono_literals;

inline constexpr std::int64_t sequence_completed = 7;
inline constexpr auto crash_lease = 10min;

/// An operation on the entity `entity`, in turn.
inline ReserveRequest on_entity(std::uint64_t number, std::uint64_t entity) {
  ReserveRequest out = testing::request(number);
  out.terms.lease = crash_lease;
  out.entity.emplace();
  out.entity->key = testing::entity_key(entity);
  out.entity->turn = 0ms;
  return out;
}

/// Completed; closes its entity for an hour.
inline ReserveRequest closing() {
  ReserveRequest out = on_entity(1, 1);
  out.entity->closes = 1h;
  return out;
}
/// Completed with that sequence.
inline ReserveRequest sequenced(std::uint64_t number, std::int64_t sequence) {
  ReserveRequest out = on_entity(number, 2);
  out.entity->sequence = sequence;
  return out;
}
/// Completed; there are two tokens an hour.
inline ReserveRequest limited(std::uint64_t number) {
  ReserveRequest out = testing::request(number);
  out.rate = RateTerms{testing::rate_key(1), 2, 1h};
  return out;
}
/// Held when the child is killed.
inline ReserveRequest holding() {
  return on_entity(5, 3);
}

}  // namespace onceproxy::store::crash
