// How one request looks in the access log. Written by hand, since every request has a line:
// json_text.hpp has what that is measured against. Private to this folder. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/access_log.hpp"

namespace onceproxy::telemetry {

/// Appends one line, its newline included, whatever bytes the record holds.
/// JSON: {"time":"…","request_id":"…",…}. Text: the time, then key=value pairs of the same names;
/// in colours, the decision stands out.
void append_access_line(std::string& out, LogFormat format, std::string_view time,
                        const AccessRecord& record);

/// The line that stands where lines are missing.
void append_dropped_line(std::string& out, LogFormat format, std::string_view time,
                         std::uint64_t lines);

}  // namespace onceproxy::telemetry
