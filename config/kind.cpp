#include "config/kind.hpp"

#include "config/postgres_url.hpp"
#include "config/text.hpp"

namespace onceproxy::config {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  for (const std::string& each : names) {
    if (each == name) return true;
  }
  return false;
}

/// Where a key of that name is known; empty when nowhere.
std::string places_of(const std::string& key, const Reading& reading) {
  std::vector<std::string> places;
  for (const KeyNames& names : reading.key_names()) {
    if (has(names.names, key) && !has(places, names.place)) places.push_back(names.place);
  }
  return one_of(places);
}

/// Whether a key stands a level too high, or one too low: at the top, or inside a policy's map
/// though it is the policy's.
bool may_be_indentation(const Node::Entry& entry, const std::string& places) {
  const std::string& path = entry.value.path();
  const bool at_top = path.find('.') == std::string::npos;
  return at_top || (path.starts_with("policies[") && places.find("a policy") != std::string::npos);
}

/// The names that hold `word` between underscores: `timeout` is half of `idle_timeout`.
std::vector<std::string> names_with(const std::string& word,
                                    const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (("_" + name + "_").find("_" + word + "_") != std::string::npos) {
      out.push_back("\"" + name + "\"");
    }
  }
  return out;
}

}  // namespace

void expected_map(const Node& node, const std::string& single) {
  const bool one = node.is_scalar() && !node.is_broken();
  if (!one && !node.is_list() && !node.is_broken()) {
    return node.problem("expected a map, found nothing; its keys are indented below it");
  }
  if (!one || single.empty() || node.text().empty()) return node.expected("a map");
  node.problem("expected a map, found " + node.found() + "; did you mean {" + single + ": " +
               mask_passwords(node.text()) + "}?");
}

void expected_list(const Node& node, const std::string& what) {
  const bool one = node.is_scalar() && !node.is_broken() && !node.text().empty();
  if (!one) return node.expected("a list of " + what);
  node.problem("expected a list of " + what + ", found " + node.found() + "; did you mean [" +
               node.text() + "]?");
}

std::string unknown_key(const Node::Entry& entry, const KeyNames& here) {
  const Reading& reading = entry.value.reading();
  const std::string message = "unknown key " + quote(entry.key);
  const std::string meant = nearest(entry.key, here.names);
  const std::vector<std::string> longer = names_with(entry.key, here.names);
  const std::string places = places_of(entry.key, reading);
  // The nearer the guess, the earlier it is made: a slip of two letters here, half a key here,
  // the same key elsewhere, a rough likeness here, a slip anywhere.
  if (!meant.empty() && edit_distance(entry.key, meant) <= 2) {
    entry.key_problem(message + "; did you mean \"" + meant + "\"?");
    return meant;
  }
  if (!longer.empty()) {
    entry.key_problem(message + "; did you mean " + one_of(longer) + "?");
    return "";
  }
  if (!places.empty()) {
    entry.key_problem(message + "; `" + entry.key + "` belongs in " + places +
                      (may_be_indentation(entry, places) ? ": check the indentation" : ""));
    return "";
  }
  if (!meant.empty()) {
    entry.key_problem(message + "; did you mean \"" + meant + "\"?");
    return meant;
  }
  std::vector<std::string> everywhere;
  for (const KeyNames& other : reading.key_names()) {
    everywhere.insert(everywhere.end(), other.names.begin(), other.names.end());
  }
  if (const std::string anywhere = nearest(entry.key, everywhere); !anywhere.empty()) {
    entry.key_problem(message + "; did you mean \"" + anywhere + "\", which belongs in " +
                      places_of(anywhere, reading) + "?");
  } else if (entry.key.find(':') != std::string::npos) {
    entry.key_problem(message + "; a space is missing after the colon");
  } else {
    entry.key_problem(message + "; known here: " + one_of(here.names));
  }
  return "";
}

}  // namespace onceproxy::config
