// The table of `audit`: whether there is an audit log, and how long its entries are kept. Private
// to this folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<AuditSettings> audit();

/// The log of RocksDB has a place in the store's directory; PostgreSQL has none for it. `document`:
/// the whole document.
void check_audit_path(const Node& document);

}  // namespace onceproxy::config
