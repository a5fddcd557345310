// ServerClock: what upkeep finds out about the clock of the database's server, which decides when
// leases and windows end. It may be set, and after a failover it is another one.
//
// Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/postgres/query.hpp"

namespace onceproxy::store {

/// The time by this machine's wall clock, in milliseconds since 1970.
std::int64_t wall_ms();

class ServerClock {
 public:
  using Time = Query::SteadyClock::time_point;

  /// How far the two clocks may differ. Beyond that nothing that has expired is removed
  /// (sweep_some()), because one of them is wrong.
  static constexpr std::chrono::milliseconds apart_max{3'600'000};

  /// The server has said that its time is `there` (milliseconds since 1970) between `sent` and
  /// `now`; `wall` is wall_ms(). Returns messages for an operator.
  std::vector<std::string> looked(std::int64_t there, Time sent, Time now, std::int64_t wall);

 private:
  /// The bounds of the server's clock minus the steady clock, when it was last looked at.
  struct Offset {
    std::int64_t least;
    std::int64_t most;
  };
  std::optional<Offset> offset_;
  bool apart_ = false;
};

}  // namespace onceproxy::store
