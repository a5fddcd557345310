// Writes one request as a line of a capture. proxy/cli/backtest/README.md describes the format.
// Pure. Private to this folder.
#pragma once

#include <string>
#include <string_view>

#include "proxy/telemetry/capture.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {

/// A line with its newline. `disguise`: replaces the values of `options.redact`.
std::string capture_line(const CapturedRequest& request, const CaptureOptions& options,
                         const std::function<std::string(std::string_view)>& disguise,
                         Timestamp& timestamp);

/// Whether the request belongs to the sampled share.
bool in_sample(const CapturedRequest& request, double sample);

}  // namespace onceproxy::telemetry
