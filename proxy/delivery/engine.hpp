// Engine: delivers the pending events of the ledger to their listeners, on its own thread and event
// loop. It has one Line for each listener, reads pending deliveries in pages, and answers the
// clients that wait for listeners. After a start it continues the deliveries of the previous
// process.
//
// It does not store events, and it makes no decisions about requests. Thread-safety: configure(),
// start(), drain() and the destructor must be called by one thread at a time; wait() and
// listeners() may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/delivery/counts.hpp"
#include "proxy/delivery/line.hpp"
#include "proxy/delivery/outcomes.hpp"
#include "proxy/delivery/plan.hpp"
#include "proxy/gate/acknowledger.hpp"
#include "proxy/http/server.hpp"
#include "proxy/io/call_loop.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/waker.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/clock.hpp"
#include "store/ledger.hpp"
#include "store/store.hpp"

namespace onceproxy::delivery {

struct EngineOptions {
  /// The largest number of attempts under way in total. Each listener has a reserved share.
  std::size_t concurrency_max = 1'024;
  /// The largest size of all cached payloads of events that are about to be delivered.
  std::size_t cached_bytes = std::size_t{16} << 20;
  /// How often the pending deliveries of a listener are read from the beginning, if other processes
  /// deliver from the same ledger. What one of them leaves behind is usually reported sooner.
  std::chrono::milliseconds reread_interval{30'000};
  /// The largest number of new events that the engine keeps in memory until it processes them, and
  /// the largest size of their payloads. Further events are read from the ledger.
  std::size_t told_max = 4'096;
  std::size_t told_bytes_max = std::size_t{16} << 20;
};

class Engine final : public gate::Acknowledger, private store::LedgerWatch {
 public:
  /// All arguments must outlive the engine. `store` must have a ledger. Without `tracer` nothing is
  /// traced.
  Engine(const EngineOptions& options, store::Store& store, const store::Clock& clock,
         telemetry::Metrics& metrics, telemetry::Tracer* tracer = nullptr);
  /// Drains first, without waiting for attempts under way.
  ~Engine();

  /// What `to: upstream` shares with forwarded requests. It must outlive the engine. Call this
  /// before the first configure().
  void share(const http::UpstreamShare& upstream) { upstream_.emplace(upstream); }

  /// The deliveries of one configuration.
  struct Wanted {
    std::shared_ptr<const gate::Rules> rules;
    ListenerLists lists = {};
    /// Routes that the configuration does not name any more, but that still have deliveries.
    std::vector<KeptListener> finishing = {};
    http::Options options = {};
    /// Returns the port for connections to a listener with `tls`; called with its name. May throw.
    std::function<std::shared_ptr<const tls::ClientPort>(const std::string&,
                                                         const policies::ListenerTls&)>
        tls = {};
  };
  /// A configuration that is ready to be activated.
  struct Next {
    struct Destination {
      std::shared_ptr<http::UpstreamAddress> address;
      std::shared_ptr<const tls::ClientPort> tls;
    };
    std::shared_ptr<const Plan> plan;
    std::map<std::string, Destination, std::less<>> destinations;
    std::shared_ptr<const http::Setup> upstream;
  };
  /// Prepares the deliveries of a configuration without activating it. Throws an exception with a
  /// message for the operator if an address, a certificate or a key file cannot be used. For a
  /// listener in `finishing` this is no error; its deliveries end as dead.
  Next prepare(Wanted wanted);
  /// Activates a configuration. When it returns, new events of that configuration find their
  /// listeners. For a listener that it does not contain only attempts under way continue.
  void configure(Next next);

  void start();
  /// Begins no more attempts and waits for those under way, at most for `patience`. Then it aborts
  /// the remaining attempts; their deliveries stay pending as if the attempts had not begun.
  /// Returns true if no attempt was aborted. Idempotent.
  bool drain(std::chrono::milliseconds patience);
  /// All clients that wait for listeners, now or later, are answered at once.
  void end_waits();

  bool wait(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
            store::Call<gate::Acknowledged>& call) override;

  /// Tells the engine to read the pending deliveries of a listener again, because this one has
  /// changed without a notification of the ledger. May be called from any thread.
  void look_again(const store::DeliveryKey& key) { redriven(key); }

  /// All listeners since the start of the process.
  std::vector<std::pair<std::string, std::shared_ptr<const Counts>>> listeners() const;
  /// The time of the loop's last tick.
  std::chrono::steady_clock::time_point ticked() const { return ticked_.load(); }

 private:
  /// Notifications from other threads.
  struct Told {
    std::vector<std::pair<std::shared_ptr<const store::Event>, std::vector<std::string>>> stored;
    std::vector<store::DeliveryKey> redriven;
    /// The size of the payloads in `stored`.
    std::size_t bytes = 0;
    /// There were more events than fit, all of them after those in `stored`.
    bool lost = false;

    /// False: there is no memory.
    bool add(std::shared_ptr<const store::Event> event, std::span<const std::string> listeners);
  };
  struct Asked {
    store::Fingerprint fingerprint;
    policies::Acknowledge how;
    store::Call<gate::Acknowledged>* call = nullptr;
  };

  void stored(std::shared_ptr<const store::Event> event,
              std::span<const std::string> listeners) noexcept override;
  void redriven(const store::DeliveryKey& key) noexcept override;

  void run();
  void tick();
  void take_told();
  void read_all();
  static std::string why_unusable(const policies::Listener& listener, const Wanted& wanted);
  Next::Destination destination(const std::string& name, const Plan::Of& of, const Wanted& wanted,
                                std::chrono::steady_clock::time_point lookups_end);
  void adopt(const Next& next);
  Line& line(const std::string& name);
  void stop_when_drained();

  const EngineOptions options_;
  store::Store& store_;
  telemetry::Metrics& metrics_;
  std::optional<http::UpstreamShare> upstream_;
  io::EventLoop loop_;
  io::CallLoop calls_;
  io::Waker told_waker_;
  LineParts parts_;
  std::map<std::string, std::unique_ptr<Line>, std::less<>> lines_;
  /// The destinations and routes in the active configuration; used on the thread that calls
  /// configure().
  std::map<std::string, Next::Destination, std::less<>> destinations_;
  std::vector<store::DeliveryRoute> routes_;

  std::mutex told_mutex_;
  Told told_;
  std::vector<Asked> asked_;
  /// From then on waiting clients are answered at once.
  bool stopped_ = false;

  mutable std::mutex counts_mutex_;
  std::map<std::string, std::shared_ptr<Counts>, std::less<>> counts_;

  std::atomic<std::chrono::steady_clock::time_point> ticked_{std::chrono::steady_clock::now()};
  std::chrono::steady_clock::time_point aborting_since_{};
  std::thread thread_;
  std::mutex ended_mutex_;
  std::condition_variable ended_;
  bool running_ = false;
};

}  // namespace onceproxy::delivery
