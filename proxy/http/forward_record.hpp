// ForwardRecord: what the log, the metrics and the trace are told of a request's forward. A plain
// value.
#pragma once

#include <chrono>
#include <string>

namespace onceproxy::http {

/// Why the upstream gave no answer, or not all of one.
enum class ForwardFault {
  none,
  unreachable,      ///< no connection; nothing was sent
  connect_timeout,  ///< the same, for it took too long
  overflow,         ///< no connection or turn became free; nothing was sent
  timed_out,
  broken,     ///< the connection ended
  malformed,  ///< what came is no answer that could be believed
};

struct ForwardRecord {
  /// False: nothing was to be forwarded.
  bool tried = false;
  bool timed_out = false;
  /// Of the answer; 0: there was none.
  int status = 0;
  /// The last time that it was sent; the clock's beginning: it never was.
  std::chrono::steady_clock::time_point sent_at{};
  /// From then until the answer's end, or until now; negative: it was never sent.
  std::chrono::nanoseconds duration{-1};

  ForwardFault fault = ForwardFault::none;
  /// Where it was sent, numeric; only where log.access_format is configured.
  std::string host = {};

  bool sent() const { return duration.count() >= 0; }
};

}  // namespace onceproxy::http
