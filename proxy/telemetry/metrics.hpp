// Metrics: everything the telemetry port shows, counted per worker without locks and merged when
// a scrape arrives. A worker resolves nothing by name on the request path: policies are numbered
// once, when a configuration is loaded.
//
// Thread-safety: a WorkerMetrics is written by its worker's thread alone and read by any; Metrics
// itself is thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/gate/decision.hpp"
#include "proxy/telemetry/capture.hpp"
#include "proxy/telemetry/delivery_gauges.hpp"
#include "store/postgres/stats.hpp"
#include "store/rocksdb/stats.hpp"

namespace onceproxy::telemetry {

/// A policy's number in the metrics; the same name has the same number for the process's life.
using PolicyId = std::uint32_t;
/// Requests that no policy covers: policy="".
inline constexpr PolicyId no_policy = 0;
/// More policies than this in a process's life (reloads included) are counted as no_policy.
inline constexpr std::size_t policies_max = 4096;

class Http2Metrics;
class TlsMetrics;

enum class Side { client, upstream };

/// How an operation that was let through ended.
enum class Ending {
  completed,  ///< done, and remembered
  released,   ///< answered as not done: free again at once
  not_sent,   ///< nothing reached the upstream: free again at once
  unknown,    ///< sent, and nobody knows: left to its lease
  unsaved,    ///< done, but that could not be remembered: left to its lease
};

/// Why a request that a policy covers was forwarded without protection.
enum class Unprotected {
  off,         ///< the policy is off
  percent,     ///< the policy's share leaves the operation out
  missing,     ///< a field is missing, and on_missing is pass
  store,       ///< the store could not promise, and on_store_error is forward
  unreadable,  ///< the body cannot be read, and on_unreadable is pass
};

/// What of a policy's match a request that no policy covers does not meet, where it nearly does.
enum class NearMiss { method, header, condition, path };

/// What a defect of the program, which ends the connection that met it, may be.
inline constexpr std::string_view awaited_twice = "awaited-twice";
inline constexpr std::string_view unforeseen_exception = "exception";
inline constexpr std::array connection_defects{awaited_twice, unforeseen_exception};

/// What is held in memory, bounded, while a request is under way.
inline constexpr std::size_t buffered_count = 3;
enum class Buffered {
  bodies,   ///< of covered requests, still arriving
  answers,  ///< still arriving, to be kept for duplicates
  waiters,  ///< requests that wait for a turn or a connection to the upstream
};

/// How a request that nobody waited for any more ended, where its turn was kept for it.
enum class AbandonedEnd {
  answered,   ///< the upstream answered after all; nobody got that answer
  closed,     ///< the upstream ended the connection
  timed_out,  ///< upstream.abandoned_timeout is over: its turn is another's, whatever it does
  stopped,    ///< this process ends
};

class WorkerMetrics {
 public:
  void request(PolicyId policy, gate::Decision decision, std::chrono::nanoseconds duration);
  /// What an enforced policy would have decided, where a policy only watches.
  void shadow(PolicyId policy, gate::Decision decision);
  void unprotected(PolicyId policy, Unprotected reason);
  /// A request that no policy covers, and that this one nearly does.
  void near_miss(PolicyId policy, NearMiss reason);
  /// `status` is the upstream's; 0 when it gave no answer (code_class="error").
  void upstream(PolicyId policy, int status, std::chrono::nanoseconds duration);
  /// What a request took longer than its upstream did.
  void latency_added(PolicyId policy, std::chrono::nanoseconds duration);
  void reservation(PolicyId policy, int change);
  /// A reservation ended.
  void operation(PolicyId policy, Ending ending);
  /// A reservation follows one whose outcome stayed unknown: the upstream is asked again.
  void lease_expired(PolicyId policy);
  void permit_refused(PolicyId policy);
  /// Age of the operation that a duplicate repeats, counted from its completion.
  void duplicate(PolicyId policy, std::chrono::nanoseconds age);
  /// How long a request waited for its entity's turn.
  void entity_wait(PolicyId policy, std::chrono::nanoseconds duration);
  /// `reason` is one of a fixed set of words and must never be destroyed (a literal).
  void bad_request(std::string_view reason);
  /// Fields of a request that were dropped because a service may take them for others.
  void twins_dropped(std::size_t fields);
  void connection(Side side, int change);
  /// An upstream connection is kept without a request, or no longer.
  void idle_connection(int change);
  /// A connection was ended by a defect of the program. `kind` is one of connection_defects.
  void connection_defect(std::string_view kind);
  /// `change` of the bytes held.
  void buffered(Buffered what, std::int64_t change);
  /// One was refused, or was not kept, because all of them together took too much.
  void shed(Buffered what);
  void abandoned(int change);
  void abandoned_ended(AbandonedEnd end);
  /// A connection that had been kept was lost before a byte of an answer.
  void reuse_lost();
  /// The kernel could not give a new connection, for instance for want of descriptors.
  void accept_error();

 private:
  friend class Metrics;
  struct State;
  WorkerMetrics();

 public:
  ~WorkerMetrics();

 private:
  std::unique_ptr<State> state_;
};

/// What a store tells of itself, read when somebody scrapes.
struct StoreGauges {
  struct RocksDb {
    store::RocksDbStats stats;
    store::RocksDbFigures figures;
  };

  /// Which backend it is, and its figures.
  std::variant<RocksDb, store::PostgresStats> backend;
  /// When the last backup was made, in seconds since 1970; 0: none since the start.
  double last_backup = 0;

  /// What every store has.
  const store::StoreStats& stats() const;
};

/// The lease that a reservation of a policy gets now.
struct LeaseGauge {
  std::string policy;
  double seconds = 0;
};

/// What is bounded across workers, as it is taken now; read when somebody scrapes.
struct SlotsInUse {
  std::size_t clients = 0;
  std::size_t upstreams = 0;
  /// Requests under way where their number is limited: of the upstream, and of policies together.
  std::size_t turns = 0;
  std::size_t policy_turns = 0;
};

class Metrics {
 public:
  explicit Metrics(std::string version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The number of the policy of that name, which shows up at zero from now on.
  PolicyId policy(std::string_view name);
  /// A new worker's own counters; they live as long as this object.
  WorkerMetrics& add_worker();

  // The store's side, called from its threads.
  void store_commit(std::chrono::nanoseconds duration, std::size_t operations);
  /// `operation` is one of a fixed set of words.
  void store_error(std::string_view operation);
  /// `read` runs on the thread that scrapes, one at a time. When this returns, the function given
  /// before runs no more: a store's owner hands in {} before it ends the store.
  void store_gauges(std::function<StoreGauges()> read);
  /// The same for the slots of the data port.
  void slots_in_use(std::function<SlotsInUse()> read);
  /// The same for leases.
  void leases(std::function<std::vector<LeaseGauge>()> read);
  /// The same for deliveries; where nothing is delivered, none.
  void deliveries(std::function<DeliveryGauges()> read);
  /// A permit was dropped unused: its reservation is left to its lease.
  void permit_dropped();
  /// Access log lines that could not be written in time.
  void access_log_dropped(std::uint64_t lines);
  /// Requests that were written into a capture, and those that were not.
  void captured(std::uint64_t requests);
  void capture_lost(CaptureLoss why, std::uint64_t requests);
  /// Spans that a collector took, and spans that none did.
  void spans_exported(std::uint64_t spans);
  void spans_dropped(std::uint64_t spans);
  /// The upstream's name could not be resolved; from any thread.
  void upstream_lookup_failed();

  /// What that may hold, all workers together.
  void buffered_max(Buffered what, std::size_t bytes);

  /// What ports that speak TLS count; lives as long as this object.
  TlsMetrics& tls();
  /// The same of those that speak HTTP/2.
  Http2Metrics& http2();

  /// A configuration was loaded again, or could not be. The one the process began with counts as a
  /// success at the time this object was made.
  void reloaded(bool successful);

  /// The text exposition format (version 0.0.4).
  std::string exposition() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::telemetry
