#include "config/kind.hpp"

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

}  // namespace

void unknown_key(const Node::Entry& entry, const KeyNames& here,
                 const std::vector<std::string>& unsupported) {
  if (has(unsupported, entry.key)) {
    entry.key_problem("`" + entry.key + "` is not supported yet");
    return;
  }
  const std::string message = "unknown key " + quote(entry.key);
  const std::string meant = nearest(entry.key, here.names);
  if (!meant.empty() && edit_distance(entry.key, meant) <= 2) {
    entry.key_problem(message + "; did you mean \"" + meant + "\"?");
    return;
  }
  std::vector<std::string> everywhere;
  for (const KeyNames& other : entry.value.reading().key_names()) {
    everywhere.insert(everywhere.end(), other.names.begin(), other.names.end());
  }
  const std::string places = places_of(entry.key, entry.value.reading());
  if (!places.empty()) {
    entry.key_problem(message + "; `" + entry.key + "` belongs in " + places);
    return;
  }
  const std::string anywhere = nearest(entry.key, everywhere);
  if (!meant.empty()) {
    entry.key_problem(message + "; did you mean \"" + meant + "\"?");
  } else if (!anywhere.empty()) {
    entry.key_problem(message + "; did you mean \"" + anywhere + "\", which belongs in " +
                      places_of(anywhere, entry.value.reading()) + "?");
  } else if (entry.key.find(':') != std::string::npos) {
    entry.key_problem(message + "; a space is missing after the colon");
  } else {
    entry.key_problem(message + "; known here: " + one_of(here.names));
  }
}

}  // namespace onceproxy::config
