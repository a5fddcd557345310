// TroubleLimit: lets one log line a second through for each kind of trouble. The kinds are a fixed
// set of words (failure.hpp), so its memory has a bound. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace onceproxy::store {

class TroubleLimit {
 public:
  /// Whether a line of this kind may be written now.
  bool first(std::string_view kind) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    auto found = next_.find(kind);
    if (found == next_.end()) found = next_.emplace(std::string(kind), now).first;
    if (found->second > now) return false;
    found->second = now + std::chrono::seconds(1);
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> next_;
};

}  // namespace onceproxy::store
