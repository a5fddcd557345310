// The program's own log, on stderr: one line an event, a fixed message and named fields, as JSON
// or text. Not for the request path (see access_log.hpp). Thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "proxy/telemetry/options.hpp"

namespace onceproxy::telemetry {

/// A named value of a log line.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

/// Call once before the first line; later calls change level and format. Text has colours where
/// stderr is a terminal now (see colour.hpp).
void set_up_log(LogLevel level, LogFormat format);
void set_log_level(LogLevel level);

/// What begins a line on stderr: the priority that the journal takes off it again (journal.hpp), or
/// nothing where stderr is something else.
std::string_view priority_prefix(LogLevel level);

/// JSON: {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"listening","address":"…"}.
/// Text: 2026-01-02T03:04:05.678Z info listening address=….
/// Every value is escaped: no input makes a second line or a second field. Where stderr is the
/// journal, each line begins with priority_prefix().
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace onceproxy::telemetry
