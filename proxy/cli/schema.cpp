#include <ostream>

#include "config/load.hpp"
#include "proxy/cli/commands.hpp"

namespace onceproxy::cli {

int schema(bool markdown, std::ostream& out) {
  out << (markdown ? config::reference() : config::json_schema());
  return exit_good;
}

}  // namespace onceproxy::cli
