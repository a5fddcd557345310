// WallTime: the store's points in time, in milliseconds since 1970. A plain value.
#pragma once

#include <chrono>

namespace onceproxy::store {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

}  // namespace onceproxy::store
