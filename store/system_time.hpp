// Times of certificates and files as times of the system's clock. Pure; thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>

namespace onceproxy::store {

/// `seconds` since 1970. The system's clock counts nanoseconds and ends in the years 1677 and 2262,
/// while certificates and files may have any time. An earlier or later time becomes the first or
/// last one.
inline std::chrono::system_clock::time_point system_time_of(std::time_t seconds) {
  using std::chrono::system_clock;
  constexpr auto first =
      std::chrono::ceil<std::chrono::seconds>(system_clock::duration::min()).count();
  constexpr auto last =
      std::chrono::floor<std::chrono::seconds>(system_clock::duration::max()).count();
  return system_clock::time_point(
      std::chrono::seconds(std::clamp<std::time_t>(seconds, first, last)));
}

}  // namespace onceproxy::store
