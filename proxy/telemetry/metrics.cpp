#include "proxy/telemetry/metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "proxy/telemetry/exposition.hpp"
#include "proxy/telemetry/http2_metrics.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/telemetry/worker_metrics.hpp"

namespace onceproxy::telemetry {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Metrics::State final : prometheus::Collectable {
  explicit State(std::string program_version) : version(std::move(program_version)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    Snapshot snapshot;
    snapshot.version = version;
    {
      const std::lock_guard lock(mutex);
      snapshot.policies = policy_names;
      for (const auto& worker : workers) snapshot.workers.push_back(worker->state_.get());
      snapshot.store_errors = store_errors;
      snapshot.reload_successful = reload_successful;
      snapshot.reload_success_time = reload_success_time;
    }
    snapshot.commit_time.add(commit_time);
    snapshot.batch_size.add(batch_size);
    for (std::size_t i = 0; i < buffered_count; ++i) {
      snapshot.buffered_max[i] = buffered_max[i].load(std::memory_order_relaxed);
    }
    snapshot.permits_dropped = permits_dropped.load(std::memory_order_relaxed);
    snapshot.access_log_dropped = access_log_dropped.load(std::memory_order_relaxed);
    snapshot.captured = captured.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < capture_loss_count; ++i) {
      snapshot.capture_lost[i] = capture_lost[i].load(std::memory_order_relaxed);
    }
    snapshot.spans_exported = spans_exported.load(std::memory_order_relaxed);
    snapshot.spans_dropped = spans_dropped.load(std::memory_order_relaxed);
    snapshot.upstream_lookup_failures = upstream_lookup_failures.load(std::memory_order_relaxed);
    {
      const std::lock_guard lock(gauges_mutex);
      try {
        if (gauges) snapshot.store = gauges();
      } catch (...) {
        // A store that cannot tell its size must not take the other metrics with it.
      }
      if (slots) snapshot.slots = slots();
      if (leases) snapshot.leases = leases();
      if (deliveries) snapshot.deliveries = deliveries();
    }
    std::vector<prometheus::MetricFamily> families = metric_families(snapshot);
    tls.append(families);
    http2.append(families);
    return families;
  }

  const std::string version;

  mutable std::mutex mutex;
  /// By number.
  std::vector<std::string> policy_names{""};
  std::map<std::string, PolicyId, std::less<>> policy_numbers{{"", no_policy}};
  std::vector<std::unique_ptr<WorkerMetrics>> workers;
  /// The label values that the store uses exist here from the start: for an alert, a series that
  /// begins at 1 is not an increase, and the first failure would go unnoticed.
  std::map<std::string, std::uint64_t> store_errors{{"audit", 0},
                                                    {"background", 0},
                                                    {"backup", 0},
                                                    {"clock", 0},
                                                    {"close", 0},
                                                    {"compact", 0},
                                                    {"decode", 0},
                                                    {"duplicates", 0},
                                                    {"extend", 0},
                                                    {"files", 0},
                                                    {"flush", 0},
                                                    {"notes", 0},
                                                    {"open", 0},
                                                    {"permissions", 0},
                                                    {"read", 0},
                                                    {"retain", 0},
                                                    {"write", 0},
                                                    // The same with PostgreSQL.
                                                    {"circuit_open", 0},
                                                    {"conflict", 0},
                                                    {"connection", 0},
                                                    {"connections", 0},
                                                    {"deadlock", 0},
                                                    {"disk_full", 0},
                                                    {"other", 0},
                                                    {"permission", 0},
                                                    {"pool_full", 0},
                                                    {"read_only", 0},
                                                    {"resources", 0},
                                                    {"schema", 0},
                                                    {"shutdown", 0},
                                                    {"statement_timeout", 0},
                                                    {"timeout", 0},
                                                    {"unconfirmed", 0},
                                                    {"unsafe", 0}};
  bool reload_successful = true;
  double reload_success_time = now_seconds();

  /// Its own: the function may be slow, and replacing it waits for it.
  mutable std::mutex gauges_mutex;
  std::function<StoreGauges()> gauges;
  std::function<SlotsInUse()> slots;
  std::function<std::vector<LeaseGauge>()> leases;
  std::function<DeliveryGauges()> deliveries;

  Histogram<CommitTime> commit_time;
  Histogram<BatchSize> batch_size;
  std::array<std::atomic<std::uint64_t>, buffered_count> buffered_max{};
  std::atomic<std::uint64_t> permits_dropped{0};
  std::atomic<std::uint64_t> access_log_dropped{0};
  std::atomic<std::uint64_t> captured{0};
  std::array<std::atomic<std::uint64_t>, capture_loss_count> capture_lost{};
  std::atomic<std::uint64_t> spans_exported{0};
  std::atomic<std::uint64_t> spans_dropped{0};
  std::atomic<std::uint64_t> upstream_lookup_failures{0};
  TlsMetrics tls;
  Http2Metrics http2;
};

Metrics::Metrics(std::string version) : state_(std::make_unique<State>(std::move(version))) {}
Metrics::~Metrics() = default;

PolicyId Metrics::policy(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  if (const auto known = state_->policy_numbers.find(name); known != state_->policy_numbers.end())
    return known->second;
  if (state_->policy_names.size() >= policies_max) return no_policy;
  const auto id = static_cast<PolicyId>(state_->policy_names.size());
  // Every worker has the counters before anybody knows the number.
  for (const auto& worker : state_->workers) worker->state_->add_policy(id);
  state_->policy_names.emplace_back(name);
  state_->policy_numbers.emplace(name, id);
  return id;
}

WorkerMetrics& Metrics::add_worker() {
  const std::lock_guard lock(state_->mutex);
  std::unique_ptr<WorkerMetrics> worker(new WorkerMetrics);
  for (PolicyId id = no_policy + 1; id < state_->policy_names.size(); ++id)
    worker->state_->add_policy(id);
  return *state_->workers.emplace_back(std::move(worker));
}

void Metrics::store_commit(std::chrono::nanoseconds duration, std::size_t operations) {
  state_->commit_time.observe_shared(duration.count());
  state_->batch_size.observe_shared(static_cast<std::int64_t>(operations));
}

void Metrics::store_error(std::string_view operation) {
  constexpr std::size_t operations_max = 64;
  const std::lock_guard lock(state_->mutex);
  std::string word(operation);
  if (!is_label_word(operation) ||
      (state_->store_errors.size() >= operations_max && !state_->store_errors.contains(word)))
    word = "other";
  ++state_->store_errors[word];
}

void Metrics::store_gauges(std::function<StoreGauges()> read) {
  const std::lock_guard lock(state_->gauges_mutex);
  state_->gauges = std::move(read);
}

void Metrics::slots_in_use(std::function<SlotsInUse()> read) {
  const std::lock_guard lock(state_->gauges_mutex);
  state_->slots = std::move(read);
}

void Metrics::leases(std::function<std::vector<LeaseGauge>()> read) {
  const std::lock_guard lock(state_->gauges_mutex);
  state_->leases = std::move(read);
}

void Metrics::deliveries(std::function<DeliveryGauges()> read) {
  const std::lock_guard lock(state_->gauges_mutex);
  state_->deliveries = std::move(read);
}

void Metrics::permit_dropped() {
  state_->permits_dropped.fetch_add(1, std::memory_order_relaxed);
}

void Metrics::access_log_dropped(std::uint64_t lines) {
  state_->access_log_dropped.fetch_add(lines, std::memory_order_relaxed);
}

void Metrics::captured(std::uint64_t requests) {
  state_->captured.fetch_add(requests, std::memory_order_relaxed);
}

void Metrics::capture_lost(CaptureLoss why, std::uint64_t requests) {
  state_->capture_lost[static_cast<std::size_t>(why)].fetch_add(requests,
                                                                std::memory_order_relaxed);
}

void Metrics::spans_exported(std::uint64_t spans) {
  state_->spans_exported.fetch_add(spans, std::memory_order_relaxed);
}

void Metrics::spans_dropped(std::uint64_t spans) {
  state_->spans_dropped.fetch_add(spans, std::memory_order_relaxed);
}

void Metrics::buffered_max(Buffered what, std::size_t bytes) {
  state_->buffered_max[static_cast<std::size_t>(what)].store(bytes, std::memory_order_relaxed);
}

void Metrics::upstream_lookup_failed() {
  state_->upstream_lookup_failures.fetch_add(1, std::memory_order_relaxed);
}

TlsMetrics& Metrics::tls() {
  return state_->tls;
}

Http2Metrics& Metrics::http2() {
  return state_->http2;
}

void Metrics::reloaded(bool successful) {
  const std::lock_guard lock(state_->mutex);
  state_->reload_successful = successful;
  if (successful) state_->reload_success_time = now_seconds();
}

std::string Metrics::exposition() const {
  return prometheus::TextSerializer().Serialize(state_->Collect());
}

}  // namespace onceproxy::telemetry
