// Reads only the ports for operators and probes from a configuration, for commands that contact a
// running program. The program may have refused this file or be older than it, so problems
// elsewhere in the file are ignored. Pure except for the environment. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

struct Ports {
  /// As in Settings.
  std::optional<ListenSettings> admin;
  std::string admin_token_file;
  std::string admin_read_token_file;
  std::optional<ListenSettings> telemetry;
};

/// There are problems only if `admin` or `telemetry` is given and its address cannot be read, or if
/// the text has no such sections and is not YAML. A text that is not YAML is read section by
/// section.
tl::expected<Ports, std::vector<Problem>> load_ports(std::string_view text, std::string_view file,
                                                     const Environment& environment);

}  // namespace onceproxy::config
