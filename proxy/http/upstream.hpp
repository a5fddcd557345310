// The upstream's connections of one worker: they are kept and reused, and requests wait for a free
// one.
//
// A kept connection is watched all the time. If its peer closes it, or unexpected bytes arrive, it
// is closed before a request can be written to it. How long it is kept is the shortest of three
// times: the configured one, the one that the upstream announces, and the one that was learned from
// connections that it closed.
//
// Not thread-safe: used on one event loop. Slots and UpstreamAddress are shared by all workers.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/reuse_age.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream_address.hpp"
#include "proxy/http/upstream_connection.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/io/task.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

using io::Slots;
using io::Task;

class AbandonedCall;

class UpstreamPool final : private UpstreamConnection::Owner {
 public:
  /// `setup` is read whenever an option is needed and may change. `turns`: of the requests that the
  /// upstream has under way.
  UpstreamPool(io::EventLoop& loop, store::Loop& home, const std::shared_ptr<const Setup>& setup,
               UpstreamAddress& address, Slots& connections, Slots& turns,
               std::atomic<std::size_t>& waiting_bytes, telemetry::WorkerMetrics& metrics,
               telemetry::TlsMetrics& tls_metrics);
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  /// Returns an idle connection, or nullptr.
  Lease take_idle();

  struct Acquired {
    /// If nullptr, `error` is the reason, and nothing was sent.
    Lease connection;
    gate::NotSent error{};
    /// What the handshake failed with; empty: it was not that.
    std::string tls_failure{};
  };
  /// Returns an idle connection or, within connect_timeout, a new one. `bytes`: the memory of the
  /// request if it has to wait.
  Task<Acquired> acquire(std::size_t bytes);

  /// Returns a connection that can carry another request; any other is destroyed instead.
  /// `announced`: how long its peer keeps it.
  void give_back(Lease connection, std::optional<std::chrono::seconds> announced = std::nullopt);

  /// A reused connection ended, or was found ended, before the first byte of an answer.
  void lost(const UpstreamConnection& connection);

  /// The limit of requests that the upstream has under way; nullptr: no limit.
  Slots* turns() const { return turns_.limit() > 0 ? &turns_ : nullptr; }
  /// One request under way, if the upstream's concurrency is limited.
  using Turn = Slots::Taken;
  /// Waits for a turn of the upstream or a policy. Returns nothing if there was none within
  /// connect_timeout, or if the waiting requests use too much memory.
  Task<std::optional<Turn>> turn(Slots& turns, std::size_t bytes);

  /// Takes over an abandoned request: reads and discards its answer, and keeps its turns until the
  /// upstream has answered or closed the connection, or until abandoned_timeout has passed.
  void abandon(std::unique_ptr<AbandonedCall> call);
  /// The number of abandoned requests.
  std::size_t abandoned() const { return abandoned_.size(); }
  /// Ends abandoned requests, a little later.
  void stop_abandoned();

  /// Closes an idle connection, because another worker waits for one.
  void reclaim();
  void close_idle() { idle_.clear(); }
  /// From now on no connection is kept.
  void drain() {
    draining_ = true;
    close_idle();
  }
  /// Closes every connection; requests that use one find it closed.
  void close_all();
  /// Closes idle connections that lead to an earlier address of the upstream, or exceed the limit.
  void trim();

 private:
  class Wait;

  void ended_while_idle(UpstreamConnection& connection) override;
  void idle_too_long(UpstreamConnection& connection) override { drop(connection); }

  const UpstreamOptions& options() const { return setup_->options.upstream; }
  /// Whether it leads to an address that is no longer the upstream's.
  bool address_outdated(UpstreamConnection& connection) const;
  /// Returns true if this many more bytes may wait.
  bool wait_with(std::size_t bytes);
  void wait_ended(std::size_t bytes);
  Task<void> end_abandoned(AbandonedCall& call);
  bool may_be_reused(UpstreamConnection& connection,
                     std::chrono::steady_clock::time_point now) const;
  /// Makes the TLS handshake on a new connection. Returns false if it failed, which was counted and
  /// logged, or took longer than the deadline.
  Task<io::IoError> secure(UpstreamConnection& connection);
  /// Forgets a connection that is not in use.
  void drop(const UpstreamConnection& connection);

  io::EventLoop& loop_;
  store::Loop& home_;
  const std::shared_ptr<const Setup>& setup_;
  UpstreamAddress& address_;
  Slots& connections_;
  Slots& turns_;
  telemetry::WorkerMetrics& metrics_;
  telemetry::TlsMetrics& tls_metrics_;
  /// All connections, lent or idle.
  boost::intrusive::list<UpstreamConnection, boost::intrusive::base_hook<UpstreamConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      all_;
  ReuseAge reuse_age_;
  /// The most recently used one is last: its peer is least likely to close it.
  std::vector<Lease> idle_;
  /// Requests of this worker that wait for a connection, in order of arrival.
  std::vector<Wait*> waits_;
  /// The memory of requests of all workers that wait for a turn or a connection.
  std::atomic<std::size_t>& waiting_bytes_;
  std::vector<std::unique_ptr<AbandonedCall>> abandoned_;
  bool draining_ = false;
};

}  // namespace onceproxy::http
