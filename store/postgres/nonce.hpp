// A new reservation's nonce. Thread-safe.
#pragma once

#include "store/permit.hpp"
#include "store/random.hpp"

namespace onceproxy::store {

inline Nonce random_nonce() {
  Nonce nonce{};
  fill_random(nonce);
  return nonce;
}

}  // namespace onceproxy::store
