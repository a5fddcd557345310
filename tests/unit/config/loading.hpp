// Loading a configuration in a line or two, for the tests of this folder.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

using Variables = std::map<std::string, std::string>;
using Texts = std::vector<std::string>;

inline Environment environment_of(Variables variables = {}) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

/// What every file needs, on two lines.
inline const std::string head = "listen: 127.0.0.1:0\nupstream: {address: \"127.0.0.1:1\"}\n";

/// `path: message` of every problem.
inline Texts problems_in(const std::string& yaml, const Variables& variables = {}) {
  const auto result = load(yaml, "f.yaml", environment_of(variables));
  Texts out;
  if (result) return out;
  for (const Problem& problem : result.error()) {
    out.push_back((problem.path.empty() ? "" : problem.path + ": ") + problem.message);
  }
  return out;
}

/// The file is `yaml` behind the head.
inline Texts problems(const std::string& yaml, const Variables& variables = {}) {
  return problems_in(head + yaml, variables);
}

inline Settings loaded(const std::string& yaml, const Variables& variables = {}) {
  INFO(yaml);
  CHECK(problems(yaml, variables) == Texts{});
  auto result = load(head + yaml, "f.yaml", environment_of(variables));
  return result ? *std::move(result) : Settings{};
}

/// A file with one policy of these lines; what every policy needs is added where it is not given.
inline std::string with_policy(const std::string& lines) {
  std::string out = "policies:\n- name: p\n";
  if (lines.find("fingerprint:") == std::string::npos) out += "  fingerprint: [{body: /id}]\n";
  if (lines.find("scope:") == std::string::npos) out += "  scope: shared\n";
  std::string line;
  for (const char c : lines + "\n") {
    line += c;
    if (c != '\n') continue;
    out += "  " + line;
    line.clear();
  }
  return out;
}

/// Problems of that policy, without the `policies[0]` they all begin with.
inline Texts policy_problems(const std::string& lines) {
  Texts out;
  for (const std::string& text : problems(with_policy(lines))) {
    const std::string prefix = "policies[0]";
    REQUIRE(text.substr(0, prefix.size()) == prefix);
    const std::size_t skip = prefix.size() + (text[prefix.size()] == '.' ? 1 : 0);
    out.push_back(text.substr(skip));
  }
  return out;
}

inline policies::Policy loaded_policy(const std::string& lines) {
  Settings settings = loaded(with_policy(lines));
  REQUIRE(settings.policies.size() == 1);
  return std::move(settings.policies[0]);
}

}  // namespace onceproxy::config
