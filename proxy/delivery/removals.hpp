// Removals: tells the log how many deliveries of a listener ended as removed, because the
// configuration does not send events of their policy there any more: once at the first, then once
// in a while, so that a long backlog does not fill the log.
// Time is passed in. Not thread-safe: the engine's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::delivery {

class Removals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Between two lines.
  static constexpr std::chrono::seconds interval{10};

  /// `listener`: its name, which stays.
  explicit Removals(const std::string& listener) : listener_(listener) {}
  ~Removals() { tell(Time::max()); }
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;

  /// `policy`: whose event it was.
  void note(const std::string& policy) {
    ++untold_;
    policy_ = policy;
  }
  bool told() const { return untold_ == 0; }
  void tell(Time now) {
    if (untold_ == 0 || now < next_) return;
    telemetry::log(telemetry::LogLevel::warn,
                   "deliveries ended as removed: the configuration does not send events of the "
                   "policy to the listener any more",
                   {{"listener", std::string_view(listener_)},
                    {"policy", std::string_view(policy_)},
                    {"deliveries", static_cast<std::int64_t>(untold_)}});
    untold_ = 0;
    if (now != Time::max()) next_ = now + interval;
  }

 private:
  const std::string& listener_;
  std::uint64_t untold_ = 0;
  /// Of the last one.
  std::string policy_;
  Time next_{};
};

}  // namespace onceproxy::delivery
