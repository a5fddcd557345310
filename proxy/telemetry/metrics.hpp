// Metrics: all metrics of the telemetry port. They are counted by each worker without locks and
// merged for a scrape. A worker looks up nothing by name on the request path: policies are numbered
// once, when a configuration is loaded.
//
// Thread-safety: a WorkerMetrics is written only by its worker's thread and read by any; Metrics
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

/// A policy's number in the metrics; a name keeps its number as long as the process runs.
using PolicyId = std::uint32_t;
/// For requests that no policy covers: policy="".
inline constexpr PolicyId no_policy = 0;
/// Further policies in the life of a process (including reloads) are counted as no_policy.
inline constexpr std::size_t policies_max = 4096;

class Http2Metrics;
class TlsMetrics;

enum class Side { client, upstream };

/// How a forwarded operation ended.
enum class Ending {
  completed,  ///< done, and remembered
  released,   ///< answered as not done: free again at once
  not_sent,   ///< nothing reached the upstream: free again at once
  unknown,    ///< sent, and the outcome is unknown: left to its lease
  unsaved,    ///< done, but that could not be remembered: left to its lease
};

/// The reason why a covered request was forwarded without protection.
enum class Unprotected {
  off,         ///< the policy is off
  percent,     ///< the policy's share leaves the operation out
  missing,     ///< a field is missing, and on_missing is pass
  store,       ///< the store could not promise, and on_store_error is forward
  unreadable,  ///< the body cannot be read, and on_unreadable is pass
};

/// The part of a policy's match that a request does not meet, although it nearly matches.
enum class NearMiss { method, header, condition, path };

/// The kinds of defects of the program that end a connection.
inline constexpr std::string_view awaited_twice = "awaited-twice";
inline constexpr std::string_view unforeseen_exception = "exception";
inline constexpr std::array connection_defects{awaited_twice, unforeseen_exception};

/// The kinds of limited memory that is in use while a request is under way.
inline constexpr std::size_t buffered_count = 3;
enum class Buffered {
  bodies,   ///< of covered requests, still arriving
  answers,  ///< still arriving, to be kept for duplicates
  waiters,  ///< requests that wait for a turn or a connection to the upstream
};

/// How an abandoned request ended, whose turn was kept.
enum class AbandonedEnd {
  answered,   ///< the upstream answered after all; no client got that answer
  closed,     ///< the upstream ended the connection
  timed_out,  ///< upstream.abandoned_timeout is over: its turn is another's, whatever it does
  stopped,    ///< this process ends
};

class WorkerMetrics {
 public:
  void request(PolicyId policy, gate::Decision decision, std::chrono::nanoseconds duration);
  /// The decision of an enforced policy, for a policy in shadow mode.
  void shadow(PolicyId policy, gate::Decision decision);
  void unprotected(PolicyId policy, Unprotected reason);
  /// A request that no policy covers, and that this policy nearly covers.
  void near_miss(PolicyId policy, NearMiss reason);
  /// `status`: of the upstream's answer; 0 if there was none (code_class="error").
  void upstream(PolicyId policy, int status, std::chrono::nanoseconds duration);
  /// The time of a request in addition to its upstream's time.
  void latency_added(PolicyId policy, std::chrono::nanoseconds duration);
  void reservation(PolicyId policy, int change);
  /// A reservation ended.
  void operation(PolicyId policy, Ending ending);
  /// A reservation follows one whose outcome stayed unknown: the operation is forwarded again.
  void lease_expired(PolicyId policy);
  void permit_refused(PolicyId policy);
  /// The age of a duplicate's operation, counted from its completion.
  void duplicate(PolicyId policy, std::chrono::nanoseconds age);
  /// How long a request waited for its entity's turn.
  void entity_wait(PolicyId policy, std::chrono::nanoseconds duration);
  /// `reason` is one of a fixed set of words, and must be a literal.
  void bad_request(std::string_view reason);
  /// Fields of a request that were removed because a service may confuse them with others.
  void twins_dropped(std::size_t fields);
  void connection(Side side, int change);
  /// An upstream connection has become idle, or is no longer idle.
  void idle_connection(int change);
  /// A connection was ended because of a defect of the program. `kind`: one of connection_defects.
  void connection_defect(std::string_view kind);
  /// The number of used bytes changed by `change`.
  void buffered(Buffered what, std::int64_t change);
  /// A body was refused or not kept, because all of them together used too much memory.
  void shed(Buffered what);
  void abandoned(int change);
  void abandoned_ended(AbandonedEnd end);
  /// A kept connection was lost before the first byte of an answer.
  void reuse_lost();
  /// The kernel could not create a new connection, for example because of a lack of descriptors.
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

/// The state of a store, read for a scrape.
struct StoreGauges {
  struct RocksDb {
    store::RocksDbStats stats;
    store::RocksDbFigures figures;
  };

  /// The backend, and its figures.
  std::variant<RocksDb, store::PostgresStats> backend;
  /// The time of the last backup, in seconds since 1970; 0 if there was none since the start.
  double last_backup = 0;

  /// The figures of every store.
  const store::StoreStats& stats() const;
};

/// The lease that a reservation of a policy gets now.
struct LeaseGauge {
  std::string policy;
  double seconds = 0;
};

/// The use of limits that all workers share; read for a scrape.
struct SlotsInUse {
  std::size_t clients = 0;
  std::size_t upstreams = 0;
  /// Requests under way, if their number is limited: of the upstream, and of all policies together.
  std::size_t turns = 0;
  std::size_t policy_turns = 0;
};

class Metrics {
 public:
  explicit Metrics(std::string version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The number of the policy with that name, which is shown at zero from now on.
  PolicyId policy(std::string_view name);
  /// The counters of a new worker; valid as long as this object.
  WorkerMetrics& add_worker();

  // For the store; called by its threads.
  void store_commit(std::chrono::nanoseconds duration, std::size_t operations);
  /// `operation` is one of a fixed set of words.
  void store_error(std::string_view operation);
  /// `read` is called by the scraping thread, one call at a time. When this returns, the previous
  /// function is no longer running: the owner of a store passes {} before it closes the store.
  void store_gauges(std::function<StoreGauges()> read);
  /// The same for the slots of the data port.
  void slots_in_use(std::function<SlotsInUse()> read);
  /// The same for leases.
  void leases(std::function<std::vector<LeaseGauge>()> read);
  /// The same for deliveries, if there are any.
  void deliveries(std::function<DeliveryGauges()> read);
  /// A permit was destroyed unused, so its reservation ends with its lease.
  void permit_dropped();
  /// Lines of the access log that were dropped.
  void access_log_dropped(std::uint64_t lines);
  /// Requests that were written to a capture, and those that were not.
  void captured(std::uint64_t requests);
  void capture_lost(CaptureLoss why, std::uint64_t requests);
  /// Spans that a collector accepted, and spans that were dropped.
  void spans_exported(std::uint64_t spans);
  void spans_dropped(std::uint64_t spans);
  /// The upstream's name could not be resolved; may be called by any thread.
  void upstream_lookup_failed();

  /// The limit of that memory, for all workers together.
  void buffered_max(Buffered what, std::size_t bytes);

  /// The counters of TLS; valid as long as this object.
  TlsMetrics& tls();
  /// The same for HTTP/2.
  Http2Metrics& http2();

  /// A configuration was reloaded, or could not be. The first configuration counts as a success at
  /// the time at which this object was made.
  void reloaded(bool successful);

  /// The text exposition format (version 0.0.4).
  std::string exposition() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::telemetry
