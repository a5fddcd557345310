#include "proxy/cli/sequence_notes.hpp"

#include <re2/re2.h>

namespace onceproxy::cli {
namespace {

using policies::Selector;

/// The last part of what a selector names: `updated_at` of /order/updated_at.
const std::string& last_name(const Selector& selector) {
  return selector.pointer.empty() ? selector.name : selector.pointer.back();
}

bool is_named_like(const std::string& name, const char* expression) {
  return re2::RE2::FullMatch(name, expression);
}

/// What else than an integer the name speaks of; nullptr: nothing.
const char* other_kind(const std::string& name) {
  constexpr const char* times =
      "(?i:.*(time|date|timestamp|created|updated|modified))|.*[_-](?i:at|on)|.*[a-z](At|On)";
  constexpr const char* digits = "(?i:.*(sequencer|hex))";
  if (is_named_like(name, times)) return "time` where it holds RFC 3339 times";
  return is_named_like(name, digits) ? "hex` where it holds hexadecimal digits" : nullptr;
}

}  // namespace

std::vector<std::string> sequence_notes(const config::Settings& settings,
                                        const std::string& config_file) {
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < settings.policies.size(); ++i) {
    const auto& entity = settings.policies[i].entity;
    if (!entity || !entity->sequence || entity->sequence->as) continue;
    const char* const other = other_kind(last_name(*entity->sequence));
    if (other == nullptr) continue;
    notes.push_back(config_file + ": policies[" + std::to_string(i) + "].entity.sequence: note: `" +
                    entity->sequence->text + "` is read as an integer; write `as: " + other +
                    ", and `as: integer` where it holds integers");
  }
  return notes;
}

}  // namespace onceproxy::cli
