// The upstream as one worker sees it: connections, kept and reused, and the wait for a free one.
//
// A connection that is kept hears from its peer all the time: one that its peer closed, or on which
// something arrives that nobody asked for, is gone before a request could be written to it. How
// long one is kept is what the configuration says, what the upstream has announced, or what was
// learnt from connections that it closed, whichever is shortest.
//
// Not thread-safe: one event loop. Slots and UpstreamAddress are shared by all workers.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <optional>
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
  /// `setup` is looked at whenever an option is needed, and may be another one each time. `turns`:
  /// of the requests that the upstream has under way.
  UpstreamPool(io::EventLoop& loop, store::Loop& home, const std::shared_ptr<const Setup>& setup,
               UpstreamAddress& address, Slots& connections, Slots& turns,
               std::atomic<std::size_t>& waiting_bytes, telemetry::WorkerMetrics& metrics,
               telemetry::TlsMetrics& tls_metrics);
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  /// An idle connection, or nullptr.
  Lease take_idle();

  struct Acquired {
    /// nullptr: `error` says why; nothing was sent.
    Lease connection;
    gate::NotSent error{};
  };
  /// An idle connection or, within connect_timeout, a new one. `bytes`: what the request takes in
  /// memory if it has to wait.
  Task<Acquired> acquire(std::size_t bytes);

  /// Ends the use of a connection that can carry another request. One that cannot is destroyed.
  /// `announced`: for how long its peer says that it keeps it.
  void give_back(Lease connection, std::optional<std::chrono::seconds> announced = std::nullopt);

  /// A connection that was reused ended, or was found ended, before a byte of an answer.
  void lost(const UpstreamConnection& connection);

  /// What bounds the requests that the upstream has under way; nullptr: nothing.
  Slots* turns() const { return turns_.limit() > 0 ? &turns_ : nullptr; }
  /// One request under way, where the upstream's concurrency is limited.
  using Turn = Slots::Taken;
  /// Of the upstream's turns, or a policy's. Nothing: no turn came within connect_timeout, or those
  /// that wait take too much memory already.
  Task<std::optional<Turn>> turn(Slots& turns, std::size_t bytes);

  /// Reads and discards what is left of a request that nobody waits for any more, and keeps its
  /// turns until the upstream has answered or closed, or abandoned_timeout is over.
  void abandon(std::unique_ptr<AbandonedCall> call);
  /// How many of those there are.
  std::size_t abandoned() const { return abandoned_.size(); }
  /// Ends them, a little later.
  void stop_abandoned();

  /// Lets go of an idle connection that another worker waits for.
  void reclaim();
  void close_idle() { idle_.clear(); }
  /// From now on no connection is kept.
  void drain() {
    draining_ = true;
    close_idle();
  }
  /// Closes every connection: their users find them broken.
  void close_all();
  /// Closes idle connections that lead to where the upstream was, or are too many by now.
  void trim();

 private:
  class Wait;

  void ended_while_idle(UpstreamConnection& connection) override;
  void idle_too_long(UpstreamConnection& connection) override { drop(connection); }

  const UpstreamOptions& options() const { return setup_->options.upstream; }
  /// It leads to an address that is not the upstream's any more.
  bool address_outdated(UpstreamConnection& connection) const;
  /// True: so many bytes more may wait.
  bool wait_with(std::size_t bytes);
  void wait_ended(std::size_t bytes);
  Task<void> end_abandoned(AbandonedCall& call);
  bool may_be_reused(UpstreamConnection& connection,
                     std::chrono::steady_clock::time_point now) const;
  /// TLS on a connection that was just made; false: the handshake failed, which was counted and
  /// told, or took longer than the deadline that is armed.
  Task<io::IoError> secure(UpstreamConnection& connection);
  /// Forgets a connection that nobody uses.
  void drop(const UpstreamConnection& connection);

  io::EventLoop& loop_;
  store::Loop& home_;
  const std::shared_ptr<const Setup>& setup_;
  UpstreamAddress& address_;
  Slots& connections_;
  Slots& turns_;
  telemetry::WorkerMetrics& metrics_;
  telemetry::TlsMetrics& tls_metrics_;
  /// All there are, lent or idle.
  boost::intrusive::list<UpstreamConnection, boost::intrusive::base_hook<UpstreamConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      all_;
  ReuseAge reuse_age_;
  /// Most recently used last: that is the one whose peer is least likely to close it.
  std::vector<Lease> idle_;
  /// Requests of this worker that wait for a connection, in order of arrival.
  std::vector<Wait*> waits_;
  /// What those of all workers that wait for a turn or a connection take in memory.
  std::atomic<std::size_t>& waiting_bytes_;
  std::vector<std::unique_ptr<AbandonedCall>> abandoned_;
  bool draining_ = false;
};

}  // namespace onceproxy::http
