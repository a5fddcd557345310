// The table of `store`: which engine remembers operations, RocksDB in this process or PostgreSQL
// for several. Private to this folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// Fills Settings::store, and Settings::postgres where the file says so.
Key<Settings> store_row();

}  // namespace onceproxy::config
