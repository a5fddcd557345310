// PostgresObserver: functions that the shared store calls for events. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>

namespace onceproxy::store {

/// Called from any thread; must be thread-safe, quick and must not throw.
struct PostgresObserver {
  /// A commit was answered after this time.
  std::function<void(std::chrono::nanoseconds)> committed;
  /// An operation failed, each time. `kind` is one of a small fixed set of words (failure.hpp).
  std::function<void(std::string_view kind)> failed;
  /// The same for the log, about once a second for each kind. No detail contains a password.
  std::function<void(std::string_view kind, std::string_view detail)> trouble;
  /// A permit was dropped unused.
  std::function<void()> permit_dropped;
  /// An event worth a log line: the circuit opened or closed, a lease could not be renewed.
  std::function<void(std::string_view)> event;
};

}  // namespace onceproxy::store
