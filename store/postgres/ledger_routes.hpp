// LedgerRoutes: the policies and listeners that this process delivers for. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/ledger.hpp"

namespace onceproxy::store {

class LedgerRoutes {
 public:
  using Routes = std::vector<DeliveryRoute>;

  void set(Routes routes) {
    const auto next = std::make_shared<const Routes>(std::move(routes));
    const std::lock_guard lock(mutex_);
    routes_ = next;
  }
  std::shared_ptr<const Routes> all() const {
    const std::lock_guard lock(mutex_);
    return routes_;
  }
  std::vector<std::string> policies_of(std::string_view listener) const {
    std::vector<std::string> out;
    for (const DeliveryRoute& route : *all()) {
      if (route.listener == listener) out.push_back(route.policy);
    }
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Routes> routes_ = std::make_shared<const Routes>();
};

}  // namespace onceproxy::store
