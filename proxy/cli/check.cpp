#include <ostream>

#include "config/json.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {
namespace {

using config::Json;
using config::Problem;

int print_json(const std::string& path, const std::vector<Problem>& problems, std::ostream& out) {
  const bool valid = problems.empty();
  out << Json::object({{"file", path}, {"valid", valid}, {"problems", json_of(problems)}}).dump()
      << "\n";
  return valid ? exit_good : exit_bad;
}

}  // namespace

int check(const std::string& path, bool json, std::ostream& out, std::ostream& err) {
  const auto text = read_file(path);
  if (!text) {
    err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const auto settings = config::load(*text, path, config::process_environment());
  if (json) return print_json(path, settings ? std::vector<Problem>{} : settings.error(), out);
  if (!settings) {
    for (const Problem& problem : settings.error()) err << problem.text() << "\n";
    const std::size_t count = settings.error().size();
    err << count << (count == 1 ? " problem" : " problems") << "\n";
    return exit_bad;
  }
  const std::size_t count = settings->policies.size();
  out << path << ": good, " << count << (count == 1 ? " policy" : " policies") << "\n";
  return exit_good;
}

}  // namespace onceproxy::cli
