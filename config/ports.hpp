// The ports that a configuration names for operators and probes, and nothing else of it: for
// commands that ask a program which runs already. That program may have refused this file, or be
// older than it, so problems anywhere else in the file are nobody's business here. Pure but for the
// environment. Thread-safe.
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

/// Problems only where `admin` or `telemetry` is given and its address cannot be read, or where the
/// text has no such sections and is no YAML. A text that is no YAML is read section by section.
tl::expected<Ports, std::vector<Problem>> load_ports(std::string_view text, std::string_view file,
                                                     const Environment& environment);

}  // namespace onceproxy::config
