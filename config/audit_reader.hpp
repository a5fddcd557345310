// The table of `audit`: whether and how long it is kept what became of requests. Private to this
// folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<AuditSettings> audit();

/// RocksDB's store has a place for its log, PostgreSQL's has none. `document` is the whole of it.
void check_audit_path(const Node& document);

}  // namespace onceproxy::config
