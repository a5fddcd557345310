#include <algorithm>
#include <iterator>
#include <ostream>

#include "proxy/cli/commands.hpp"
#include "proxy/cli/listener_files.hpp"
#include "proxy/cli/password_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/sequence_notes.hpp"
#include "proxy/cli/tls_files.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::cli {
namespace {

using config::Problem;
using telemetry::JsonObject;

int print_json(const std::string& path, const std::vector<Problem>& problems, std::ostream& out) {
  const bool valid = problems.empty();
  const JsonObject report({{"file", path}, {"valid", valid}, {"problems", json_of(problems)}});
  out << telemetry::json_text(report) << "\n";
  return valid ? exit_good : exit_bad;
}

}  // namespace

int check(const std::string& given, bool json, const Streams& streams) {
  std::ostream& out = streams.out;
  std::ostream& err = streams.err;
  const auto text = read_file(given, streams.in);
  if (!text) {
    err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const std::string path = given == "-" ? standard_input : given;
  const auto settings = config::load(*text, path, config::process_environment());
  // Files are worth reading if it is known which.
  TlsFindings found;
  if (settings) {
    found = check_tls_files(*settings, path);
    std::ranges::move(check_password_file(*settings, path), std::back_inserter(found.problems));
    TlsFindings listeners = check_listener_files(*settings, path);
    std::ranges::move(listeners.problems, std::back_inserter(found.problems));
    std::ranges::move(listeners.notes, std::back_inserter(found.notes));
  } else {
    found.problems = settings.error();
  }
  if (json) return print_json(path, found.problems, out);
  for (const Problem& problem : found.problems) err << problem.text() << "\n";
  for (const std::string& note : found.notes) err << note << "\n";
  if (settings) {
    for (const std::string& note : sequence_notes(*settings, path)) err << note << "\n";
  }
  if (!found.problems.empty()) {
    const std::size_t count = found.problems.size();
    err << count << (count == 1 ? " problem" : " problems") << "\n";
    return exit_bad;
  }
  const std::size_t count = settings->policies.size();
  out << path << ": good, " << count << (count == 1 ? " policy" : " policies") << "\n";
  return exit_good;
}

}  // namespace onceproxy::cli
