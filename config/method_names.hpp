// The methods in `match.methods`: those in IANA's HTTP Method Registry, and others if the
// configuration marks them as unregistered, because a misspelt method matches nothing. Pure;
// thread-safe.
#pragma once

#include <string>

#include "config/kind.hpp"

namespace onceproxy::config {

/// A registered method as a word, or `{unregistered: FROB}`.
Kind<std::string> method();

/// The method of an item in the list, if it can be determined; for messages.
std::string written_method(const Node& item);

}  // namespace onceproxy::config
