// ForwardRecord: the facts about a request's forward for the log, the metrics and the trace. A
// plain value.
#pragma once

#include <chrono>
#include <string>

namespace onceproxy::http {

/// The reason why the upstream gave no answer or an incomplete one.
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
  /// False if the request was not to be forwarded.
  bool tried = false;
  bool timed_out = false;
  /// The status of the answer; 0 if there was none.
  int status = 0;
  /// When it was last sent; the beginning of the clock if it never was.
  std::chrono::steady_clock::time_point sent_at{};
  /// The time from then to the end of the answer, or until now; negative if it was never sent.
  std::chrono::nanoseconds duration{-1};

  ForwardFault fault = ForwardFault::none;
  /// The numeric address to which it was sent; set only if log.access_format is configured.
  std::string host = {};

  bool sent() const { return duration.count() >= 0; }
};

}  // namespace onceproxy::http
