// ForwardRecord: what the log, the metrics and the trace are told of a request's forward. A plain
// value.
#pragma once

#include <chrono>

namespace onceproxy::http {

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

  bool sent() const { return duration.count() >= 0; }
};

}  // namespace onceproxy::http
