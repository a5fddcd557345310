// What differs between two configurations, in the words of the file: for the log line of a reload.
// It compares what is written, with variables put in: a default that is written out is a
// difference, comments and quotes are none. Pure but for the environment. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

/// "limits", "policy dispatch", "policy dispatch (new)", "policy dispatch (gone)", "the order of
/// policies". Empty: one is as good as the other. Both are texts that load() takes.
std::vector<std::string> differences(std::string_view before, std::string_view after,
                                     const Environment& environment);

}  // namespace onceproxy::config
