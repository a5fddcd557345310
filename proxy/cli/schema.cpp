#include <ostream>

#include "config/load.hpp"
#include "proxy/cli/commands.hpp"

namespace onceproxy::cli {

int schema(std::ostream& out) {
  out << config::json_schema();
  return exit_good;
}

}  // namespace onceproxy::cli
