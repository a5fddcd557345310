// Addresses that get in each other's way: two listeners on one port, an upstream that is
// onceproxy itself, an admin port that strangers reach. Pure; thread-safe.
#pragma once

#include "config/node.hpp"

namespace onceproxy::config {

/// `node` is the whole document.
void check_addresses(const Node& node);

}  // namespace onceproxy::config
