// The table of `store.postgres`. Private to this folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<store::PostgresOptions> postgres();

}  // namespace onceproxy::config
