// The database of a shared store: whether it lets this user in, and whether its schema is the one
// that the program works with. Connects, reads and changes nothing; blocks until the database has
// answered.
#pragma once

#include <vector>

#include "proxy/cli/doctor/findings.hpp"
#include "store/postgres/options.hpp"

namespace onceproxy::doctor {

std::vector<Finding> check_postgres(const store::PostgresOptions& options);

}  // namespace onceproxy::doctor
