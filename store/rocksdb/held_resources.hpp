// HeldResources: what a reservation holds besides its fingerprint, and gives back when it ends: its
// entity, perhaps with the turn, and the token of its rate limit. Plain values, fixed once it is
// made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "store/entity.hpp"
#include "store/rocksdb/rates.hpp"

namespace onceproxy::store {

struct HeldResources {
  struct OfRate {
    RateKey key;
    Rates::Token token;
  };
  std::optional<EntityOperation> entity;
  std::optional<OfRate> rate;
};

}  // namespace onceproxy::store
