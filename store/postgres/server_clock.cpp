#include "store/postgres/server_clock.hpp"

#include <cstdlib>

namespace onceproxy::store {
namespace {

/// A smaller difference is within what networks and clocks that are being adjusted may cause.
constexpr std::int64_t step_min = 1'000;

std::int64_t since_epoch(ServerClock::Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string seconds(std::int64_t ms) {
  return std::to_string(std::abs(ms) / 1'000) + " s";
}

}  // namespace

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> ServerClock::looked(std::int64_t there, Time sent, Time now,
                                             std::int64_t wall) {
  std::vector<std::string> out;
  const Offset offset{there - since_epoch(now), there - since_epoch(sent)};
  if (offset_) {
    const std::int64_t ahead = offset.least - offset_->most;
    const std::int64_t behind = offset_->least - offset.most;
    if (ahead > step_min || behind > step_min) {
      out.push_back(
          "the clock of the database's server was set " +
          (ahead > step_min ? "forward by " + seconds(ahead) : "back by " + seconds(behind)) +
          ", or another server has taken over; leases and windows end " +
          (ahead > step_min ? "earlier" : "later") + " by as much");
    }
  }
  offset_ = offset;
  const std::int64_t difference = there - wall;
  const bool apart = std::abs(difference) > apart_max.count();
  if (apart != apart_) {
    apart_ = apart;
    out.push_back(apart ? "the clock of the database's server and that of this machine differ by " +
                              seconds(difference) + "; nothing that has expired is removed"
                        : "the clock of the database's server and that of this machine agree "
                          "again; what has expired is removed again");
  }
  return out;
}

}  // namespace onceproxy::store
