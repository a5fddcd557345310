#include "store/postgres/failure.hpp"

namespace onceproxy::store {

Failure failure_of(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  if (sqlstate == "40P01") return {"deadlock", true, false};
  if (group == "40") return {"conflict", true, false};
  if (sqlstate == "53100") return {"disk_full", false, false};
  if (sqlstate == "53300") return {"connections", false, true};
  if (group == "53") return {"resources", false, false};
  if (sqlstate == "25006") return {"read_only", false, true};
  if (sqlstate == "57014") return {"statement_timeout", false, false};
  if (group == "57") return {"shutdown", true, true};
  if (group == "08") return {"connection", true, true};
  if (group == "28" || sqlstate == "42501") return {"permission", false, true};
  // A function, a table or a schema that is missing or differs from this program's version.
  if (group == "42" || group == "3F" || sqlstate == "55000") return {"schema", false, true};
  return {"other", false, false};
}

}  // namespace onceproxy::store
