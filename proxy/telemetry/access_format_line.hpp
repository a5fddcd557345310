// Writes one request in the format of log.access_format. Private to this folder. Pure.
//
// A line always stays one line, and JSON stays valid, regardless of the values: they are escaped as
// in a JSON string in both formats, so that a value in quotation marks cannot end them.
#pragma once

#include <chrono>
#include <string>

#include "proxy/telemetry/access_details.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/access_log.hpp"

namespace onceproxy::telemetry {

/// Appends one line with its newline. `now`: when the request ended. A missing value is "-", or
/// null if a JSON value is a single operator.
void append_formatted_line(std::string& out, const AccessFormat& format, const AccessRecord& record,
                           const AccessDetails& details, std::chrono::system_clock::time_point now);

/// "UF", or "UpstreamConnectionFailure"; nothing without a flag.
std::optional<std::string_view> flag_name(AccessFlag flag, bool in_full);

}  // namespace onceproxy::telemetry
