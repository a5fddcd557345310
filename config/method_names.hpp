// The methods that `match.methods` lists: those that IANA's HTTP Method Registry knows, and others
// where the configuration says that it means them, since a method that is misspelt covers nothing.
// Pure; thread-safe.
#pragma once

#include <string>

#include "config/kind.hpp"

namespace onceproxy::config {

/// A registered method as a word, or `{unregistered: FROB}`.
Kind<std::string> method();

/// The method that an item of the list names, as far as it can be told; for messages.
std::string written_method(const Node& item);

}  // namespace onceproxy::config
