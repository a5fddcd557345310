// LogReader: the requests of a log, one after the other, whichever of the two formats it is in.
// Memory is bounded by the longest request. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tl/expected.hpp>

#include "proxy/cli/backtest/input.hpp"
#include "proxy/cli/backtest/logged_request.hpp"

namespace onceproxy::backtest {

/// A HAR entry holds the answer's body too.
inline constexpr std::size_t piece_bytes_max = std::size_t{64} * 1024 * 1024;

/// What a line, or an entry of HAR, turned out to be.
struct LogItem {
  /// From 1; where an entry begins.
  std::uint64_t line = 0;
  /// The error says why it is not a request.
  tl::expected<LoggedRequest, std::string> request;
};

struct LogFailure {
  /// The system could not read it; otherwise it is the log that is broken.
  bool unreadable = false;
  std::string message;
};

/// Hands every item to `take` until that says false or the log ends.
tl::expected<void, LogFailure> read_log(Input& input, const std::function<bool(LogItem)>& take);

}  // namespace onceproxy::backtest
