// The program's own log, on stderr: one line for each event, with a fixed message and named fields,
// as JSON or text. It is not for the request path (see access_log.hpp). Thread-safe.
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

/// Call this before the first line; later calls change level and format. Text has colours if stderr
/// is a terminal at that time (see colour.hpp).
void set_up_log(LogLevel level, LogFormat format);
void set_log_level(LogLevel level);

/// The prefix of a line on stderr: the priority for the journal (journal.hpp), or nothing if stderr
/// is something else.
std::string_view priority_prefix(LogLevel level);

/// JSON: {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"listening","address":"…"}.
/// Text: 2026-01-02T03:04:05.678Z info listening address=…. Every value is escaped, so no input
/// makes a second line or a second field. If stderr is the journal, each line begins with
/// priority_prefix().
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace onceproxy::telemetry
