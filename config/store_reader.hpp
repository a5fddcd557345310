// The table of `store`: RocksDB in this process, or PostgreSQL for several instances. Private to
// this folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// Fills Settings::store, and Settings::postgres if the file has it.
Key<Settings> store_row();

}  // namespace onceproxy::config
