// The values that `onceproxy store move` copies from one store to another, each with its name.
// Times are those of the wall clock. Plain values.
#pragma once

#include <utility>

#include "store/entity.hpp"
#include "store/fingerprint.hpp"
#include "store/gcra.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

/// An answer is part of its record, not separate.
using CarriedRecord = std::pair<Fingerprint, Record>;
using CarriedEntity = std::pair<EntityKey, Entity>;
using CarriedRate = std::pair<RateKey, RateTime>;

}  // namespace onceproxy::store
