// An engine that delivers from a ledger in memory, for its tests.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../eventually.hpp"
#include "fake_ledger.hpp"
#include "proxy/delivery/engine.hpp"
#include "store/store_clock.hpp"

namespace onceproxy::delivery::testing {

using onceproxy::testing::eventually;
using std::chrono::milliseconds;
using store::DeliveryState;

using Bodies = std::vector<std::string>;

inline policies::Listener listener(const std::string& name, std::uint16_t port) {
  policies::Listener made;
  made.name = name;
  made.address = {"127.0.0.1", port, ""};
  made.path = "/events";
  made.timeout = milliseconds(5'000);
  made.attempts = 3;
  made.backoff = {milliseconds(1), milliseconds(10), 0.0};
  return made;
}

/// An engine on a ledger in memory.
struct Delivering {
  LedgerStore store;
  FakeLedger& ledger = store.fake;
  store::StoreClock clock;
  telemetry::Metrics metrics{"1"};
  http::UpstreamAddress address{{"127.0.0.1", 1, ""}};
  io::Slots connections{8};
  io::Slots turns{0};
  std::atomic<std::size_t> waiting_bytes = 0;
  Engine engine;
  /// What is configured no more, with the next configuration.
  std::vector<KeptListener> finishing;

  explicit Delivering(const EngineOptions& options = {}) : engine(options, store, clock, metrics) {
    engine.share({address, connections, turns, waiting_bytes});
  }

  void configure(policies::ListenerList listeners, policies::Acknowledge acknowledge = {},
                 const std::string& name = "orders") {
    policies::Policy policy;
    policy.name = name;
    policies::DeliveryRules rules;
    rules.listeners = std::make_shared<const policies::ListenerList>(std::move(listeners));
    rules.acknowledge = acknowledge;
    policy.delivery = std::make_shared<const policies::DeliveryRules>(rules);
    std::vector<policies::Policy> policies;
    policies.push_back(std::move(policy));
    engine.configure(
        engine.prepare({.rules = std::make_shared<const gate::Rules>(std::move(policies), metrics),
                        .finishing = finishing}));
  }
  bool reaches(store::EventNumber event, const std::string& name, DeliveryState state) {
    return eventually([&] { return ledger.view(event, name).state == state; });
  }
};

}  // namespace onceproxy::delivery::testing
