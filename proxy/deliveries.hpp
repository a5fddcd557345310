// Deliveries: the delivery engine as a part of the program, if the store has a ledger: its
// configuration, its metrics, and its shutdown.
//
// Thread-safety: figures() may be called by any thread; everything else by the main thread or the
// thread that reloads.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "proxy/certificates.hpp"
#include "proxy/delivery/engine.hpp"
#include "proxy/delivery/kept_listeners.hpp"
#include "proxy/gate/rules.hpp"
#include "proxy/http/server.hpp"
#include "proxy/listener_files.hpp"
#include "proxy/telemetry/delivery_gauges.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/clock.hpp"
#include "store/store.hpp"

namespace onceproxy {

class Deliveries {
 public:
  /// All arguments must outlive it; `store` must have a ledger.
  Deliveries(store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
             telemetry::Tracer* tracer, Certificates& certificates);
  ~Deliveries();

  /// For the data port.
  gate::Acknowledger& acknowledger() { return engine_; }

  /// Called before the data port starts. Throws an exception with a message for the operator if a
  /// file or an address cannot be used.
  void start(const http::UpstreamShare& upstream, const std::shared_ptr<const gate::Rules>& rules,
             const http::Options& options);

  /// Activates another configuration for new events; called before the data port gets it. Throws
  /// like start(); nothing changes in this case.
  void configure(const std::shared_ptr<const gate::Rules>& rules, const http::Options& options);
  /// Called about once a second: checks whether a listeners_file has changed. If its listeners
  /// cannot be used, they are tried again at each call.
  void look();

  void look_again(const store::DeliveryKey& key) { engine_.look_again(key); }

  /// Answers the clients that wait for listeners, so that the data port no longer waits for them.
  void end_waits() { engine_.end_waits(); }
  /// Waits for attempts under way, for this time. No more attempts begin.
  void drain(std::chrono::milliseconds patience);

  /// The number of connections to listeners, including idle ones; it may be slightly out of date.
  std::size_t connections() const;
  /// Reads the figures of the store.
  telemetry::DeliveryGauges figures() const;

 private:
  using Clock = std::chrono::steady_clock;
  /// By the names of policy and listener.
  using Routes = std::set<std::pair<std::string, std::string>>;

  /// Has the engine deliver as these say, with `lists` in place of what the files said before.
  void use(const std::shared_ptr<const gate::Rules>& rules, const http::Options& options,
           const delivery::ListenerLists& lists);
  void put_in_force(const delivery::ListenerLists& lists);
  void tell_removed(const Routes& now, const delivery::Plan& plan);
  void tell_refused(const std::string& why);

  store::Ledger& ledger_;
  const store::Clock& clock_;
  telemetry::Metrics& metrics_;
  Certificates& certificates_;
  delivery::Engine engine_;
  /// Serializes reloads and checks.
  std::mutex mutex_;
  /// Why the listeners of the files cannot be used, and when the log was told of that last.
  std::string refused_;
  Clock::time_point refused_told_{};
  ListenerFiles files_;
  delivery::KeptListeners kept_;
  Routes routes_;
  /// The active configuration.
  std::shared_ptr<const gate::Rules> rules_;
  http::Options options_;
};

}  // namespace onceproxy
