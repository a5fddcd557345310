// Presets: the keys of a policy for a known sender. A policy with a preset is read as if it had
// these keys; a key that it has itself takes precedence as a whole. config/README.md describes them
// and their reasons. Pure; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/node.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// The names, in the order of messages and of the schema.
std::vector<std::string> preset_names();

// How to change the selectors of an existing preset. The fingerprints of its deliveries change too,
// and the redelivery of an event that was recorded before the upgrade must still be recognized.
// Therefore, when you change `fingerprint`, `scope` or `payload` of a preset, write the previous
// values of these three keys as YAML into the third member of its entry in presets.cpp:
//
//     {"stripe", R"(fingerprint:
//       - target: normal
//       - body: /id
//     window: 96h
//     )", R"(fingerprint:
//       - body: /id
//     )"},
//
// The policy then has these selectors as Policy::earlier. As long as the store may have records
// from before the upgrade, a delivery is looked up under both fingerprints. The third member is
// empty if nothing changed, and for a new preset. It contains only the values of the previous
// release and is replaced with the next change after a release. A field that only the new selectors
// read must not prevent the recognition of a recorded delivery: give it a `default` or an
// `otherwise`. tests/unit/policies/earlier_test.cpp contains the previous fingerprints of each
// preset's deliveries.

/// The keys, as YAML. Empty for an unknown name.
std::string preset_keys(const std::string& name);

/// The previous version's fingerprint, scope and payload, as YAML; empty if they are the same, and
/// for an unknown name.
std::string earlier_preset_keys(const std::string& name);

/// A policy's map with the keys of its preset. They have the position of `preset`, so problems with
/// them are reported there.
Node with_preset(const Node& policy);

/// The selectors of a policy in the previous version: its preset's previous selectors, or its own
/// if its map has the key. `policy` was read from `node`. nullptr: the same as now.
std::shared_ptr<const policies::Selection> earlier_selection(const Node& node,
                                                             const policies::Policy& policy);

}  // namespace onceproxy::config
