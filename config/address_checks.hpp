// Checks addresses against each other: two listeners on one port, an upstream that is onceproxy
// itself, an admin port that untrusted clients can reach. Pure; thread-safe.
#pragma once

#include "config/node.hpp"

namespace onceproxy::config {

/// `node` is the whole document.
void check_addresses(const Node& node);

}  // namespace onceproxy::config
