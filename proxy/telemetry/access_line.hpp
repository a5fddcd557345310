// Writes one request as a line of the access log. It is written by hand, since every request has a
// line; json_text.hpp has the comparison with Boost.JSON. Private to this folder. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/access_log.hpp"

namespace onceproxy::telemetry {

/// Appends one line with its newline, for a record with any bytes. JSON:
/// {"time":"…","request_id":"…",…}. Text: the time, then key=value pairs with the same names; with
/// colours, the decision is highlighted.
void append_access_line(std::string& out, LogFormat format, std::string_view time,
                        const AccessRecord& record);

/// The line that is written in place of missing lines.
void append_dropped_line(std::string& out, LogFormat format, std::string_view time,
                         std::uint64_t lines);

}  // namespace onceproxy::telemetry
