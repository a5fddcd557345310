// Deliveries: the delivery engine as a part of the program, where the store has a ledger: what of
// the configuration it gets, what is told of it, and how it ends.
//
// Thread-safety: figures() from any thread; everything else from the main thread, or whoever
// reloads.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "proxy/delivery/engine.hpp"
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
  /// All must outlive it; `store` has a ledger.
  Deliveries(store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
             telemetry::Tracer* tracer);
  ~Deliveries();

  /// For the data port.
  gate::Acknowledger& acknowledger() { return engine_; }

  /// Before the data port starts. Throws, with a message for an operator, where a file or an
  /// address cannot be used.
  void start(const http::UpstreamShare& upstream, const std::shared_ptr<const gate::Rules>& rules,
             const http::Options& options);

  /// Another configuration is in force for what is accepted from now on: to be called before the
  /// data port has it. Throws as start() does, and has changed nothing then.
  void configure(const std::shared_ptr<const gate::Rules>& rules, const http::Options& options);
  /// To be called about once a second: looks whether a listeners_file has changed.
  void look();

  void look_again(const std::string& listener) { engine_.look_again(listener); }

  /// Clients that wait for listeners are answered: the data port waits for them no longer.
  void end_waits() { engine_.end_waits(); }
  /// Lets attempts under way end, for so long. Nothing begins any more.
  void drain(std::chrono::milliseconds patience);

  /// Connections to listeners, idle ones too; up to a moment old.
  std::size_t connections() const;
  /// The store is asked for what it knows.
  telemetry::DeliveryGauges figures() const;

 private:
  void put_in_force(const delivery::ListenerLists& lists);

  store::Ledger& ledger_;
  const store::Clock& clock_;
  telemetry::Metrics& metrics_;
  delivery::Engine engine_;
  /// Who reloads, and who looks.
  std::mutex mutex_;
  ListenerFiles files_;
  /// In force.
  std::shared_ptr<const gate::Rules> rules_;
  http::Options options_;
};

}  // namespace onceproxy
