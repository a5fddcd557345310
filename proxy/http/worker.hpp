// Worker: one event loop on one thread. It assembles what serves requests there (listeners,
// connections, the dispatcher with its gate and upstream pool, counters and an access log of its
// own) and hands each part what it needs. Workers share nothing on the request path but the store
// and the slots.
//
// Thread-safety: run() belongs to the worker's thread; what says "from any thread" posts to it.
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
  /// nullptr: listeners are not waited for.
  gate::Acknowledger* acknowledger = nullptr;
  /// What the requests that wait for a turn or a connection take in memory.
  std::atomic<std::size_t> waiting_bytes = 0;
};

class Worker final : private BufferBudget::Holder, private io::Listener::Owner {
 public:
  /// `side`: makes the port beside the data port; empty: there is none.
  Worker(Shared& shared, std::shared_ptr<const Setup> setup, const MakeSidePort& side = {});
  ~Worker();

  /// What a socket that listens for this worker is made on.
  io::EventLoop& loop() { return loop_; }
  /// Takes connections from a socket that listens, on the worker's loop; `tls`: they begin with a
  /// handshake. Before run().
  void listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);
  /// The same for the port beside it, which must be there.
  void listen_beside(io::Acceptor acceptor) { side_port_->listen(std::move(acceptor)); }

  /// Serves until the worker is drained. Call once, on the worker's own thread.
  void run();

  // From any thread:
  /// Stops accepting and lets every request under way end; run() returns when none is left.
  void drain();
  /// Ends what drain() has waited for too long: sockets are closed, outcomes become unknown.
  void abort();
  void reclaim_upstream();
  /// When its loop last came by, at most a few ticks ago unless it hangs.
  std::chrono::steady_clock::time_point ticked() const { return ticked_.load(); }
  /// Requests that begin from then on are served by `setup`. `adopted` runs on the worker's thread.
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

  /// A look at the shares that were shed is on its way.
  std::atomic<bool> looks_at_shares_ = false;
  /// So is a look for an idle connection that another worker waits for.
  std::atomic<bool> reclaiming_ = false;
  std::atomic<std::chrono::steady_clock::time_point> ticked_{std::chrono::steady_clock::now()};

  // What serves requests.
  RequestReports reports_;
  HttpDate date_;
  gate::Gate gate_;
  UpstreamPool upstream_;
  Dispatcher dispatcher_;

  // Who sends them.
  Handshakes handshakes_;
  const ClientConnection::Parts connection_parts_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  /// nullptr: there is none.
  std::unique_ptr<SidePort> side_port_;

  bool draining_ = false;
  bool aborting_ = false;
  std::chrono::steady_clock::time_point aborting_since_;
};

}  // namespace onceproxy::http
