// The differences between two configurations, named by the keys of the file, for the log line of a
// reload. It compares the texts with their variables replaced: a default that is written explicitly
// is a difference, comments and quotes are not. Pure except for the environment. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

/// Such as "limits", "policy dispatch", "policy dispatch (new)", "policy dispatch (gone)", "the
/// order of policies". Empty if there are none. Both must be texts that load() accepts.
std::vector<std::string> differences(std::string_view before, std::string_view after,
                                     const Environment& environment);

}  // namespace onceproxy::config
