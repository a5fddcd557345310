// The store's directory: whether this user may write there, who has it, what it lies on, and how
// much room there is; or the database, if there is one. Opens no store; takes the directory's
// lock for a moment, if it is free.
#pragma once

#include <vector>

#include "config/settings.hpp"
#include "proxy/cli/doctor/findings.hpp"

namespace onceproxy::doctor {

struct StoreState {
  /// A running onceproxy has it. Of a database that is not known.
  bool in_use = false;
  std::vector<Finding> findings;
};

StoreState check_store(const config::Settings& settings);

}  // namespace onceproxy::doctor
