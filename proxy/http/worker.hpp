// Worker: one event loop on one thread. It creates the parts that serve requests there (listeners,
// connections, the dispatcher with its gate and upstream pool, counters and its own access log) and
// gives each part what it needs. On the request path workers share only the store and the slots.
//
// Thread-safety: run() is called on the worker's thread; functions "from any thread" post to it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/client_connection.hpp"
#include "proxy/http/dispatcher.hpp"
#include "proxy/http/handshakes.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/request_reports.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/side_port.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/http/upstream_address.hpp"
#include "proxy/io/call_loop.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/listener.hpp"
#include "proxy/io/pipes.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/capture.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "proxy/tls/port.hpp"
#include "store/clock.hpp"
#include "store/store.hpp"

namespace onceproxy::http {

/// Shared by all workers of a server; outlives them.
struct Shared {
  store::Store& store;
  const store::Clock& clock;
  telemetry::Metrics& metrics;
  telemetry::AccessLog& access_log;
  /// nullptr: tracing is off.
  telemetry::Tracer* tracer;
  /// nullptr: capturing is off.
  telemetry::Capture* capture;
  UpstreamAddress upstream_address;
  Slots client_slots;
  Slots upstream_slots;
  Slots turns;
  BufferBudget bodies;
  BufferBudget answers;
  std::size_t workers = 1;
  /// nullptr: no request waits for listeners.
  gate::Acknowledger* acknowledger = nullptr;
  /// The memory of requests that wait for a turn or a connection.
  std::atomic<std::size_t> waiting_bytes = 0;
};

class Worker final : private BufferBudget::Holder, private io::Listener::Owner {
 public:
  /// `side`: creates the port beside the data port; empty: there is none.
  Worker(Shared& shared, std::shared_ptr<const Setup> setup, const MakeSidePort& side = {});
  ~Worker();

  /// The io_context for a socket that listens for this worker.
  io::EventLoop& loop() { return loop_; }
  /// Accepts connections from a listening socket on the worker's loop; `tls`: they begin with a
  /// handshake. Called before run().
  void listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);
  /// The same for the port beside it, which must exist.
  void listen_beside(io::Acceptor acceptor) { side_port_->listen(std::move(acceptor)); }

  /// Serves until the worker is drained. Called once, on the worker's own thread.
  void run();

  // From any thread:
  /// Stops accepting connections and waits for requests under way; run() returns when none is left.
  void drain();
  /// Aborts the requests that drain() still waits for: sockets are closed, and outcomes become
  /// unknown.
  void abort();
  void reclaim_upstream();
  /// The time of its loop's last round; it is a few ticks old at most unless the loop hangs.
  std::chrono::steady_clock::time_point ticked() const { return ticked_.load(); }
  /// New requests use `setup` from then on. `adopted` runs on the worker's thread.
  void adopt(std::shared_ptr<const Setup> setup, std::function<void()> adopted);

 private:
  // From other workers' threads:
  void shares_shed() override;
  void accepted(io::Socket socket, std::string client, std::uint16_t port,
                const tls::ServerPort* tls) override;
  void not_accepted(const io::ErrorCode& error) override;
  void refuse_overload(io::Socket socket, bool secure);
  Task<void> serve(ClientConnection& connection);
  void forget(ClientConnection& connection);
  void tick();
  void end_all();
  void flush();
  void stop_when_drained();

  Shared& shared_;
  std::shared_ptr<const Setup> setup_;
  io::EventLoop loop_;
  io::Pipes pipes_;
  io::CallLoop calls_;
  telemetry::WorkerMetrics& metrics_;

  /// A check of the shed shares is posted.
  std::atomic<bool> looks_at_shares_ = false;
  /// A check for an idle connection that another worker waits for is posted.
  std::atomic<bool> reclaiming_ = false;
  std::atomic<std::chrono::steady_clock::time_point> ticked_{std::chrono::steady_clock::now()};

  // The parts that serve requests.
  RequestReports reports_;
  HttpDate date_;
  gate::Gate gate_;
  UpstreamPool upstream_;
  const BufferBudget::Account bodies_;
  Dispatcher dispatcher_;

  // The parts that receive requests.
  Handshakes handshakes_;
  const ClientConnection::Parts connection_parts_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  /// nullptr if there is none.
  std::unique_ptr<SidePort> side_port_;

  bool draining_ = false;
  bool aborting_ = false;
  std::chrono::steady_clock::time_point aborting_since_;
};

}  // namespace onceproxy::http
