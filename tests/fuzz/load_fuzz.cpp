// Configurations: any bytes are either settings or problems, each with a place in the file, and
// what is loaded holds what the rest of the program relies on.
#include <cstdint>
#include <set>
#include <string>

#include "claim.hpp"
#include "config/load.hpp"

using onceproxy::config::Problem;

namespace {

std::optional<std::string> variable(const std::string& name) {
  if (name.size() % 2 == 0) return std::nullopt;
  return name + ": {a}";
}

void check_problems(const std::vector<Problem>& problems) {
  claim(!problems.empty(), "a refused file has a problem");
  std::size_t line = 0;
  for (const Problem& problem : problems) {
    claim(problem.line >= line, "problems are in the file's order");
    line = problem.line;
    claim((problem.line == 0) == (problem.column == 0), "a line has a column");
    claim(!problem.message.empty(), "a problem has a message");
    claim(problem.text().find(problem.message) != std::string::npos, "a problem's text tells it");
  }
}

void check_settings(const onceproxy::config::Settings& settings) {
  claim(!settings.listen.empty(), "something is listened on");
  claim(settings.store.pending_max == settings.limits.pending, "the store has the limit");
  std::set<std::string> names;
  for (const auto& policy : settings.policies) {
    claim(names.insert(policy.name).second, "names are unique");
    claim(!policy.name_space.empty(), "a policy has a namespace");
    claim(!policy.fingerprint.empty(), "a policy has a fingerprint");
    claim(!policy.match.methods.empty(), "a policy covers methods");
    claim(policy.terms.lease.count() > 0 && policy.terms.window.count() > 0, "terms are above 0");
    for (const auto* list : {&policy.fingerprint, &policy.scope, &policy.payload}) {
      for (const auto& selector : *list) claim(!selector.text.empty(), "a selector has a text");
    }
    if (!policy.on_duplicate) continue;
    for (const auto& [name, value] : policy.on_duplicate->headers) {
      claim(!name.empty() && value.find_first_of("\r\n") == std::string::npos,
            "no header splits an answer");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto result = onceproxy::config::load(text, "f.yaml", variable);
  if (result) {
    check_settings(*result);
  } else {
    check_problems(result.error());
  }
  return 0;
}
