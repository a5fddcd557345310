// The options of the log, of captures and of tracing, with their defaults. The configuration reader
// fills in these structs, so that each default exists only once. Plain values.
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
  /// The share of requests that is written, above 0 to 1. Either all requests of an operation are
  /// included or none.
  double sample = 1;
  /// The largest size of the file; when it is reached, nothing more is written until the file is
  /// moved.
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  /// Header fields whose values are replaced, in lower case.
  std::vector<std::string> redact{"authorization", "cookie"};

  bool operator==(const CaptureOptions&) const = default;
};

struct TracingOptions {
  /// The URL to which spans are sent: a complete http or https URL.
  std::string endpoint;
  /// The share of the traces that begin here. A continued trace follows its parent's decision.
  double sample_ratio = 1.0;
  std::string service_name = "onceproxy";

  bool operator==(const TracingOptions&) const = default;
};

}  // namespace onceproxy::telemetry
