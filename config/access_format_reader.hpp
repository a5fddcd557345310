// Reads log.access_format: a text with Envoy's command operators, or a map of them. An error in an
// operator is reported at the value that contains it.
#pragma once

#include <memory>

#include "config/kind.hpp"
#include "proxy/telemetry/access_format.hpp"

namespace onceproxy::config {

Kind<std::shared_ptr<const telemetry::AccessFormat>> access_format();

}  // namespace onceproxy::config
