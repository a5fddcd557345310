// Presets: what a policy is for a known sender, written as the keys that it stands for. A policy
// that names one is read as if it had them; a key that it has itself wins, as a whole. What they do
// and why is described in config/README.md. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/node.hpp"

namespace onceproxy::config {

/// In the order of messages and of the schema.
std::vector<std::string> preset_names();

/// The keys, as YAML. Empty for a name that is none.
std::string preset_keys(const std::string& name);

/// A policy's map with the keys of the preset that it names, all of which stand where `preset`
/// stands: a problem with one of them is a problem there.
Node with_preset(const Node& policy);

}  // namespace onceproxy::config
