// Engine: delivers what the ledger holds to the listeners, on a thread and an event loop of its
// own. It keeps one line a listener, reads what is pending in pages, and tells those who wait for
// an acknowledgement. At a start it finds again what an earlier process has left.
//
// It stores nothing itself, and decides nothing about requests.
// Thread-safety: configure(), start(), drain() and the destructor belong to one thread at a time;
// wait() and listeners() may be called from any.
#pragma once

#include <chrono>
#include <cstdint>
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
  /// Attempts under way in all; each listener always has a share.
  std::size_t concurrency_max = 1'024;
  /// Of the payloads that are kept for listeners which are about to get them.
  std::size_t cached_bytes = std::size_t{16} << 20;
  /// Of new events that the engine has not come by yet. More are found in the ledger.
  std::size_t told_max = 4'096;
};

class Engine final : public gate::Acknowledger, private store::LedgerWatch {
 public:
  /// All must outlive it. `store` has a ledger. No `tracer`: nothing is traced.
  Engine(const EngineOptions& options, store::Store& store, const store::Clock& clock,
         telemetry::Metrics& metrics, telemetry::Tracer* tracer = nullptr);
  /// Drains first, without patience.
  ~Engine();

  /// What `to: upstream` shares with the requests that are forwarded; outlives this. Before the
  /// first configure().
  void share(const http::UpstreamShare& upstream) { upstream_.emplace(upstream); }

  /// Makes ready what the rules say of deliveries. Throws, with a message for an operator, where an
  /// address or a key file cannot be used; nothing has changed then.
  struct Next {
    std::shared_ptr<const Plan> plan;
    std::map<std::string, std::shared_ptr<http::UpstreamAddress>, std::less<>> addresses;
    std::shared_ptr<const http::Setup> upstream;
  };
  Next prepare(std::shared_ptr<const gate::Rules> rules, const ListenerLists& lists,
               const http::Options& options);
  /// When it returns, events of that configuration find their listeners. A listener that is not in
  /// it any more gets nothing that is not under way already.
  void configure(Next next);

  void start();
  /// Begins nothing any more, lets what is under way end, waits no longer than `patience`, then
  /// cuts off the rest, which is left as if it had not begun. True: nothing was cut off.
  /// Idempotent.
  bool drain(std::chrono::milliseconds patience);
  /// Who waits for an acknowledgement, or will, is answered at once.
  void end_waits();

  bool wait(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
            store::Call<gate::Acknowledged>& call) override;

  /// Something of a listener's may be pending, or may not be any more, without the ledger telling.
  /// From any thread.
  void look_again(const std::string& listener) { redriven({0, listener}); }

  /// Every listener of this process's life.
  std::vector<std::pair<std::string, std::shared_ptr<const Counts>>> listeners() const;
  /// When its loop last came by.
  std::chrono::steady_clock::time_point ticked() const { return ticked_.load(); }

 private:
  /// What other threads bring.
  struct Told {
    std::vector<std::pair<std::shared_ptr<const store::Event>, std::vector<std::string>>> stored;
    std::vector<std::string> redriven;
    /// There was more than is kept here.
    bool lost = false;
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
  /// Those of the configuration in force, on the thread that configures.
  std::map<std::string, std::shared_ptr<http::UpstreamAddress>, std::less<>> addresses_;

  std::mutex told_mutex_;
  Told told_;
  std::vector<Asked> asked_;
  /// Those who ask are answered at once from then on.
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
