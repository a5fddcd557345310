// Reads log.access_format: a text with Envoy's command operators, or a map of them. What is wrong
// with an operator is told at the value that holds it.
#pragma once

#include <memory>

#include "config/kind.hpp"
#include "proxy/telemetry/access_format.hpp"

namespace onceproxy::config {

Kind<std::shared_ptr<const telemetry::AccessFormat>> access_format();

}  // namespace onceproxy::config
