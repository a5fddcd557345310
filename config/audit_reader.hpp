// The table of `audit`: whether and how long it is kept what became of requests. Private to this
// folder. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<store::AuditOptions> audit();

}  // namespace onceproxy::config
