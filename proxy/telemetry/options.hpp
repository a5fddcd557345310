// What an operator sets of the log, of captures and of tracing, with the defaults. The reader of
// the configuration fills these very structs in, so that no default stands twice. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::telemetry {

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat {
  json,
  text,
  coloured_text,  ///< what `text` becomes on a terminal; not for the configuration
};

struct LogOptions {
  /// The least severe level that is written.
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::json;
};

struct CaptureOptions {
  std::string path;
  /// The share of requests that is written, above 0 to 1. Requests of one operation are all in it
  /// or all outside.
  double sample = 1;
  /// The file does not grow beyond it: then nothing more is written until it is moved away.
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  /// Header fields whose values are replaced, in lower case.
  std::vector<std::string> redact{"authorization", "cookie"};

  bool operator==(const CaptureOptions&) const = default;
};

struct TracingOptions {
  /// Where spans are posted to: a whole http or https URL.
  std::string endpoint;
  /// Of the traces that begin here. A trace that is continued follows its parent's decision.
  double sample_ratio = 1.0;
  std::string service_name = "onceproxy";

  bool operator==(const TracingOptions&) const = default;
};

}  // namespace onceproxy::telemetry
