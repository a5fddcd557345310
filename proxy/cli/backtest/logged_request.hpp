// LoggedRequest: one past request as a log tells of it. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/cli/backtest/moment.hpp"

namespace onceproxy::backtest {

struct LoggedRequest {
  /// When it arrived.
  Moment time;
  std::string method;
  /// Path and query, without scheme and authority.
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// The body is text that a log wrote down, so whatever Content-Encoding it came in is undone.
  bool body_is_decoded = true;
  /// The log tells that there was a body and does not have it.
  bool body_left_out = false;
  /// False: nothing of it reached the service.
  bool sent = true;
  /// Of its answer: 0 if none came, nothing if the log does not tell.
  std::optional<int> status;
  /// From arrival to answer; 0 if the log does not tell.
  std::chrono::microseconds duration{0};
  /// The answer's body; nothing if the log does not tell.
  std::optional<std::uint64_t> response_bytes;
};

/// Path and query of `url`, which may be absolute or a path already; a fragment is dropped. Empty
/// if it is neither.
std::string target_of(std::string_view url);

}  // namespace onceproxy::backtest
