// Worker: one event loop on one thread, with everything a request needs on it: listeners,
// connections, the upstream pool, a gate, counters and an access log of its own. Workers share
// nothing on the request path but the store and the slots.
//
// Thread-safety: run() belongs to the worker's thread; what says "from any thread" posts to it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/http/upstream_address.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/pipes.hpp"
#include "proxy/io/waker.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/capture.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "proxy/tls/port.hpp"
#include "store/clock.hpp"
#include "store/store.hpp"

namespace onceproxy::http {

class ClientConnection;
class Listener;

/// What all workers of a server share. Outlives them.
struct Shared {
  store::Store& store;
  const store::Clock& clock;
  telemetry::Metrics& metrics;
  telemetry::AccessLog& access_log;
  /// nullptr: nothing is traced.
  telemetry::Tracer* tracer;
  /// nullptr: nothing is captured.
  telemetry::Capture* capture;
  UpstreamAddress upstream_address;
  Slots client_slots;
  Slots upstream_slots;
  Slots turns;
  BufferBudget bodies;
  BufferBudget answers;
  std::size_t workers = 1;
  /// What the requests that wait for a turn or a connection take in memory.
  std::atomic<std::size_t> waiting_bytes = 0;
};

class Worker final : public store::Loop, public BufferBudget::Holder {
 public:
  Worker(Shared& shared, std::shared_ptr<const Setup> setup);
  ~Worker();

  /// Takes connections from a socket that listens, on the worker's loop; `tls`: they begin with a
  /// handshake. Before run().
  void listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);

  /// Serves until the worker is drained. Call once, on the worker's own thread.
  void run();

  // From any thread:
  /// Stops accepting and lets every request under way end; run() returns when none is left.
  void drain();
  /// Ends what drain() has waited for too long: sockets are closed, outcomes become unknown.
  void abort();
  void reclaim_upstream();
  /// Requests that begin from then on are served by `setup`. `adopted` runs on the worker's thread.
  void adopt(std::shared_ptr<const Setup> setup, std::function<void()> adopted);
  void deliver(store::CallBase* first) noexcept override;
  bool submits() override;
  std::unique_ptr<store::Timer> timer(std::chrono::milliseconds after,
                                      std::function<void()> expired) override;
  void shares_shed() override;

  // On the worker's thread, for its connections:
  io::EventLoop& loop() { return loop_; }
  /// For bodies that are moved by the kernel.
  io::Pipes& pipes() { return pipes_; }
  const std::shared_ptr<const Setup>& setup() const { return setup_; }
  /// As they are now: a reload may end their life at the next co_await. A request has its own.
  const Options& options() const { return setup_->options; }
  gate::Gate& gate() { return gate_; }
  UpstreamPool& upstream() { return upstream_; }
  telemetry::WorkerMetrics& metrics() { return metrics_; }
  telemetry::AccessLog::Writer& access_log() { return *access_log_; }
  /// nullptr: nothing is traced.
  telemetry::Tracer::Recorder* recorder() { return recorder_.get(); }
  /// Where requests are written for later; nullptr: nowhere, now.
  telemetry::Capture* capture() const {
    return shared_.capture != nullptr && shared_.capture->on() ? shared_.capture : nullptr;
  }
  /// The value of a Date field (RFC 9110 5.6.7), at most a tick old.
  std::string_view date() const { return date_; }
  bool draining() const { return draining_; }
  /// What bounds the requests that the upstream has under way; nullptr: nothing.
  Slots* turns() { return shared_.turns.limit() > 0 ? &shared_.turns : nullptr; }
  /// What bounds the bodies of covered requests that are still arriving, and answers that are being
  /// kept.
  BufferBudget& bodies() { return shared_.bodies; }
  BufferBudget& answers() { return shared_.answers; }
  /// Whether a request that no policy covers, and that begins now, is to be looked at for policies
  /// that nearly cover it: one in five milliseconds, since that costs time for each policy.
  bool looks_for_near_misses(std::chrono::steady_clock::time_point now);

  // For its listeners and connections:
  void accepted(io::Socket socket, std::string client, const tls::ServerPort* tls);
  void connection_ended(ClientConnection& connection);
  /// A handshake begins, and ends. When too many are under way at once, the oldest is closed: a
  /// client that is served needs milliseconds, and one that only keeps a place has had its time.
  void shaking(ClientConnection& connection);
  void shaken(ClientConnection& connection);
  telemetry::TlsMetrics& tls_metrics() { return shared_.metrics.tls(); }

 private:
  void refuse_overload(io::Socket socket, bool secure);
  void tick();
  void end_all();
  void run_delivered();
  bool end_round(bool quiet);
  void stop_when_drained();

  Shared& shared_;
  std::shared_ptr<const Setup> setup_;
  io::EventLoop loop_;
  io::Pipes pipes_;
  /// For what the store answers.
  io::Waker delivered_waker_;
  telemetry::WorkerMetrics& metrics_;
  std::unique_ptr<telemetry::AccessLog::Writer> access_log_;
  std::unique_ptr<telemetry::Tracer::Recorder> recorder_;
  gate::Gate gate_;
  UpstreamPool upstream_;
  std::string date_;
  std::chrono::steady_clock::time_point next_near_look_;
  bool draining_ = false;
  bool aborting_ = false;
  std::chrono::steady_clock::time_point aborting_since_;
  /// A look at the shares that were shed is on its way.
  std::atomic<bool> looks_at_shares_ = false;
  /// The store was called, and not woken yet.
  bool holds_calls_ = false;
  std::chrono::steady_clock::time_point held_since_;

  std::mutex delivered_mutex_;
  store::CallBase* delivered_first_ = nullptr;
  store::CallBase* delivered_last_ = nullptr;

  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  /// Whose handshake is under way, the oldest first.
  std::vector<ClientConnection*> shaking_;
};

}  // namespace onceproxy::http
