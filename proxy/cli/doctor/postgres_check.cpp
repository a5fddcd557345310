#include "proxy/cli/doctor/postgres_check.hpp"

#include <exception>

#include "store/postgres/schema.hpp"

namespace onceproxy::doctor {

std::vector<Finding> check_postgres(const store::PostgresOptions& options) {
  Findings out("store");
  try {
    const int version = store::schema_version(options);
    const std::string problem = store::schema_problem(version, options);
    if (problem.empty()) {
      out.ok("the database takes connections, and its schema " + options.schema +
             " is of version " + std::to_string(version));
    } else {
      out.fail(problem, "onceproxy store migrate -c FILE");
    }
  } catch (const std::exception& error) {
    out.fail(error.what(), "see the reason given");
  }
  return out.take();
}

}  // namespace onceproxy::doctor
