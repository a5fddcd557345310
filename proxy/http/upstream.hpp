// The upstream as one worker sees it: connections, kept and reused, and the wait for a free one.
//
// A connection that is kept has a read pending all the time: one that its peer closed, or on which
// something arrives that nobody asked for, is gone before a request could be written to it.
//
// Not thread-safe: one event loop. The Slots are shared by all workers.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/gate/task.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/slots.hpp"
#include "proxy/http/stream.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

using gate::Task;

class UpstreamPool;

class UpstreamConnection final : public Stream {
 public:
  /// Takes over one slot of the pool's connections.
  UpstreamConnection(UpstreamPool& pool, Deadlines& deadlines, Socket socket,
                     std::chrono::milliseconds stall);
  ~UpstreamConnection() override;

  /// It carried a request before: its peer may be about to close it.
  bool reused = false;

 private:
  friend class UpstreamPool;
  void idle_read_ended() override;

  UpstreamPool& pool_;
  bool lent_ = true;
  std::chrono::steady_clock::time_point idle_since_;
};

using Lease = std::unique_ptr<UpstreamConnection>;

class UpstreamPool {
 public:
  UpstreamPool(asio::io_context& io, Deadlines& deadlines, store::Loop& loop,
               const UpstreamOptions& options, Slots& connections, Slots& turns,
               telemetry::WorkerMetrics& metrics);
  ~UpstreamPool();

  /// An idle connection, or nullptr.
  Lease take_idle();

  struct Acquired {
    /// nullptr: `error` says why; nothing was sent.
    Lease connection;
    gate::NotSent error{};
  };
  /// An idle connection or, within connect_timeout, a new one.
  Task<Acquired> acquire();

  /// Ends the use of a connection that can carry another request.
  void give_back(Lease connection);
  /// Ends the use of one that cannot.
  void discard(Lease connection);

  /// One request under way, where the upstream's concurrency is limited.
  class Turn {
   public:
    explicit Turn(Slots* slots) : slots_(slots) {}
    Turn(Turn&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (slots_ != nullptr) slots_->release();
    }

   private:
    Slots* slots_;
  };
  /// Nothing: no turn came within connect_timeout.
  Task<std::optional<Turn>> turn();

  /// Lets go of an idle connection that another worker waits for.
  void reclaim();
  void close_idle();

 private:
  friend class UpstreamConnection;
  class Wait;

  Task<Error> connect(UpstreamConnection& connection);
  /// Forgets a connection that nobody uses.
  void drop(UpstreamConnection& connection);

  asio::io_context& io_;
  Deadlines& deadlines_;
  store::Loop& loop_;
  const UpstreamOptions& options_;
  Slots& connections_;
  Slots& turns_;
  telemetry::WorkerMetrics& metrics_;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver_;
  /// Set when the upstream is named by an address: nothing to look up.
  std::optional<asio::generic::stream_protocol::endpoint> fixed_endpoint_;
  /// Most recently used last: that is the one whose peer is least likely to close it.
  std::vector<Lease> idle_;
  /// Closed, but their last read has not ended yet.
  std::vector<Lease> closing_;
  /// Requests of this worker that wait for a connection, in order of arrival.
  std::vector<Wait*> waits_;
};

}  // namespace onceproxy::http
