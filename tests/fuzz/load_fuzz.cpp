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

void check_answer(const onceproxy::policies::FixedAnswer& answer) {
  claim(answer.status >= 200 && answer.status <= 599, "an answer ends the exchange");
  for (const auto& [name, value] : answer.headers) {
    claim(!name.empty() && value.find_first_of("\r\n") == std::string::npos,
          "no header splits an answer");
  }
}

void check_policy(const onceproxy::policies::Policy& policy) {
  claim(!policy.name_space.empty(), "a policy has a namespace");
  claim(!policy.fingerprint.empty(), "a policy has a fingerprint");
  claim(!policy.match.methods.empty(), "a policy covers methods");
  claim(policy.terms.lease.count() > 0 && policy.terms.window.count() > 0, "terms are above 0");
  claim(policy.in_flight.timeout.count() > 0, "who waits has a time");
  claim(policy.enforcement.percent >= 0 && policy.enforcement.percent <= 100, "a share of 100");
  for (const auto* list : {&policy.fingerprint, &policy.scope, &policy.payload}) {
    for (const auto& selector : *list) claim(!selector.text.empty(), "a selector has a text");
  }
  if (policy.entity) {
    claim(!policy.entity->type.empty() && !policy.entity->id.empty(), "an entity has a name");
  }
  if (policy.rate_limit) {
    claim(policy.rate_limit->limit > 0 && policy.rate_limit->per.count() > 0, "a rate is one");
  }
  if (policy.on_duplicate) check_answer(*policy.on_duplicate);
  for (const auto& answer : policy.respond) {
    if (answer) check_answer(*answer);
  }
  for (const auto& override : policy.overrides) {
    claim(!override.where.empty(), "an override has a condition");
    claim(override.policy->overrides.empty(), "an override has none of its own");
    check_policy(*override.policy);
  }
}

void check_settings(const onceproxy::config::Settings& settings) {
  claim(!settings.listen.empty(), "something is listened on");
  claim(settings.store.pending_max == settings.limits.pending, "the store has the limit");
  std::set<std::string> names;
  for (const auto& policy : settings.policies) {
    claim(names.insert(policy.name).second, "names are unique");
    check_policy(policy);
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
