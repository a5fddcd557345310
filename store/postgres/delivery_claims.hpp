// DeliveryClaims: the deliveries that this process is attempting or changing, and the nonces of
// their claims in the database. A delivery that is listed here cannot be claimed again. The size is
// limited by the number of attempts and changes under way. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "store/event.hpp"
#include "store/permit.hpp"
#include "store/postgres/boot_clock.hpp"

namespace onceproxy::store {

class DeliveryClaims {
 public:
  using Time = BootClock::time_point;
  struct Claim {
    Nonce nonce{};
    /// When the statement that claimed it was sent.
    Time sent{};
    /// Whether the end of the attempt is being written.
    bool ending = false;
  };

  /// False: the delivery is claimed already.
  bool take(const DeliveryKey& key, const Nonce& nonce) {
    const std::lock_guard lock(mutex_);
    return claims_.try_emplace(key, Claim{nonce, {}, false}).second;
  }
  void claimed(const DeliveryKey& key, Time sent) {
    const std::lock_guard lock(mutex_);
    claims_[key].sent = sent;
  }
  Claim ending(const DeliveryKey& key) {
    const std::lock_guard lock(mutex_);
    Claim& claim = claims_[key];
    claim.ending = true;
    return claim;
  }
  std::optional<Claim> find(const DeliveryKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = claims_.find(key);
    if (found == claims_.end()) return std::nullopt;
    return found->second;
  }
  void release(const DeliveryKey& key) {
    const std::lock_guard lock(mutex_);
    claims_.erase(key);
  }

 private:
  struct Hash {
    std::size_t operator()(const DeliveryKey& key) const {
      return std::hash<std::string>()(key.listener) ^
             static_cast<std::size_t>(key.event * 0x9e3779b97f4a7c15u);
    }
  };

  mutable std::mutex mutex_;
  std::unordered_map<DeliveryKey, Claim, Hash> claims_;
};

}  // namespace onceproxy::store
