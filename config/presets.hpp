// Presets: what a policy is for a known sender, written as the keys that it stands for. A policy
// that names one is read as if it had them; a key that it has itself wins, as a whole. What they do
// and why is described in config/README.md. Pure; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/node.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// In the order of messages and of the schema.
std::vector<std::string> preset_names();

// Changing what an existing preset selects. The fingerprints of its deliveries change with it, and
// the redelivery of one that was recorded before the upgrade must still be found. So whoever
// changes `fingerprint`, `scope` or `payload` of a preset writes down what the previous version
// had: in the third member of its entry in presets.cpp, all of those three keys that were there
// then, as YAML:
//
//     {"stripe", R"(fingerprint:
//       - target: normal
//       - body: /id
//     window: 96h
//     )", R"(fingerprint:
//       - body: /id
//     )"},
//
// The policy then has these selectors as Policy::earlier, and for as long as the store may hold
// records from before the upgrade a delivery is looked up under both fingerprints. The third member
// is empty where nothing changed, and for a new preset. It is what the version before had, no older
// one; with the next change after a release it is replaced. A field that only the new selectors
// want must not make a delivery miss its first record: give it a `default`, or an `otherwise`.
// tests/unit/policies/earlier_test.cpp holds what each preset's deliveries were called.

/// The keys, as YAML. Empty for a name that is none.
std::string preset_keys(const std::string& name);

/// Those of fingerprint, scope and payload that the version before this one had, as YAML; empty
/// where they are the same, and for a name that is none.
std::string earlier_preset_keys(const std::string& name);

/// A policy's map with the keys of the preset that it names, all of which stand where `preset`
/// stands: a problem with one of them is a problem there.
Node with_preset(const Node& policy);

/// What a policy selected in the version before this one: its preset's selectors of then, and its
/// own where its map has the key itself. `policy` was read from `node`. nullptr: the same as now.
std::shared_ptr<const policies::Selection> earlier_selection(const Node& node,
                                                             const policies::Policy& policy);

}  // namespace onceproxy::config
