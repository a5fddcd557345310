// Reads the whole file: the table of the top level, and checks of the whole. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// Made once.
const Kind<Settings>& settings();

}  // namespace onceproxy::config
