// One request as log.access_format writes it. Private to this folder. Pure.
//
// Whatever a client or a service sends, a line stays one line, and its JSON stays JSON: values are
// escaped as in a JSON string in both formats, so that a value inside quotation marks cannot end
// them either.
#pragma once

#include <chrono>
#include <string>

#include "proxy/telemetry/access_details.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/access_log.hpp"

namespace onceproxy::telemetry {

/// Appends one line, its newline included; `now` is when the request was over. What a request does
/// not have is "-", or null where a JSON value is one operator alone.
void append_formatted_line(std::string& out, const AccessFormat& format, const AccessRecord& record,
                           const AccessDetails& details, std::chrono::system_clock::time_point now);

/// "UF", or "UpstreamConnectionFailure"; nothing without a flag.
std::optional<std::string_view> flag_name(AccessFlag flag, bool in_full);

}  // namespace onceproxy::telemetry
