// Ties: what a reservation holds besides its fingerprint, and gives back when it ends: its entity,
// perhaps with the turn, and the token of its rate limit. Plain values, fixed once it is made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "store/rates.hpp"

namespace onceproxy::store {

struct Ties {
  struct OfEntity {
    EntityKey key;
    bool turn = false;
    std::optional<std::int64_t> sequence;
    std::optional<std::chrono::milliseconds> closes;
  };
  struct OfRate {
    RateKey key;
    Rates::Token token;
  };
  std::optional<OfEntity> entity;
  std::optional<OfRate> rate;
};

}  // namespace onceproxy::store
