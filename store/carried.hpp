// What `onceproxy store move` carries from one store to another, each value under its name. Times
// are the wall clock's. Plain values.
#pragma once

#include <utility>

#include "store/entity.hpp"
#include "store/fingerprint.hpp"
#include "store/gcra.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

/// An answer is in its record, not apart.
using CarriedRecord = std::pair<Fingerprint, Record>;
using CarriedEntity = std::pair<EntityKey, Entity>;
using CarriedRate = std::pair<RateKey, RateTime>;

}  // namespace onceproxy::store
