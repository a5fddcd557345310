#include "proxy/telemetry/exposition.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proxy/telemetry/delivery_exposition.hpp"
#include "proxy/telemetry/family.hpp"
#include "proxy/telemetry/process_metrics.hpp"
#include "proxy/telemetry/store_exposition.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
/// One policy's counters of all workers, added up.
struct PolicyTotals {
  std::array<HistogramTotals<RequestTime>, gate::decision_count> requests;
  std::array<std::uint64_t, gate::decision_count> shadow{};
  std::array<std::uint64_t, code_classes.size()> upstream{};
  std::array<std::uint64_t, endings.size()> operations{};
  std::array<std::uint64_t, unprotected_reasons.size()> unprotected{};
  std::array<std::uint64_t, near_miss_reasons.size()> near_misses{};
  HistogramTotals<RequestTime> upstream_time;
  HistogramTotals<RequestTime> latency_added;
  HistogramTotals<RequestTime> entity_wait;
  HistogramTotals<DuplicateAge> duplicate_age;
  std::int64_t reservations = 0;
  std::uint64_t leases_expired = 0;
  std::uint64_t permits_refused = 0;

  void add(const PolicyCounters& counters) {
    constexpr auto relaxed = std::memory_order_relaxed;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].add(counters.requests[i]);
      shadow[i] += counters.shadow[i].load(relaxed);
    }
    for (std::size_t i = 0; i < upstream.size(); ++i)
      upstream[i] += counters.upstream[i].load(relaxed);
    for (std::size_t i = 0; i < operations.size(); ++i)
      operations[i] += counters.operations[i].load(relaxed);
    for (std::size_t i = 0; i < unprotected.size(); ++i)
      unprotected[i] += counters.unprotected[i].load(relaxed);
    for (std::size_t i = 0; i < near_misses.size(); ++i)
      near_misses[i] += counters.near_misses[i].load(relaxed);
    upstream_time.add(counters.upstream_time);
    latency_added.add(counters.latency_added);
    entity_wait.add(counters.entity_wait);
    duplicate_age.add(counters.duplicate_age);
    reservations += counters.reservations.load(relaxed);
    leases_expired += counters.leases_expired.load(relaxed);
    permits_refused += counters.permits_refused.load(relaxed);
  }
};

/// Shown from the start, at zero: a policy that matches nothing must be visible, and a rate over a
/// series that begins at one misses its first event.
bool shown_at_zero(PolicyId policy, gate::Decision decision) {
  if (policy != no_policy) return decision != gate::Decision::passed;
  return decision == gate::Decision::passed || decision == gate::Decision::bad_request ||
         decision == gate::Decision::busy || decision == gate::Decision::upstream_error;
}

void append_policies(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family requests("onceproxy_requests_total", "Requests, by decision.", MetricType::Counter);
  Family shadow("onceproxy_shadow_decisions_total",
                "Decisions that a policy in shadow mode would have made.", MetricType::Counter);
  Family duration("onceproxy_request_duration_seconds",
                  "Time from the request's head to the end of its answer.", MetricType::Histogram);
  Family upstream("onceproxy_upstream_requests_total",
                  "Requests sent to the service, by the class of its answer.", MetricType::Counter);
  Family upstream_time("onceproxy_upstream_duration_seconds",
                       "Time that the service took, failed requests included.",
                       MetricType::Histogram);
  Family latency_added("onceproxy_latency_added_seconds",
                       "Duration of forwarded requests without the time that the service took.",
                       MetricType::Histogram);
  Family reservations("onceproxy_reservations_active", "Reservations under way.",
                      MetricType::Gauge);
  Family operations("onceproxy_operations_total", "Operations that were reserved, by outcome.",
                    MetricType::Counter);
  Family unprotected(
      "onceproxy_unprotected_total",
      "Requests that a policy covers and that were forwarded without protection, by reason.",
      MetricType::Counter);
  Family near_misses("onceproxy_near_misses_total",
                     "Requests that no policy covers and that this policy nearly covers, by the "
                     "part of its match that differs. Only a sample of the requests is examined.",
                     MetricType::Counter);
  Family leases("onceproxy_leases_expired_total",
                "Reservations made after an earlier one whose outcome remained unknown.",
                MetricType::Counter);
  Family refused("onceproxy_permits_refused_total",
                 "Completions and releases refused because their reservation had ended.",
                 MetricType::Counter);
  Family age("onceproxy_duplicate_age_seconds",
             "Time from an operation's completion to its duplicate.", MetricType::Histogram);
  Family wait("onceproxy_entity_wait_seconds",
              "Time that requests waited for the turn of their entity.", MetricType::Histogram);

  for (PolicyId id = 0; id < snapshot.policies.size(); ++id) {
    const std::string& policy = snapshot.policies[id];
    PolicyTotals totals;
    for (const WorkerCounters* worker : snapshot.workers)
      if (const PolicyCounters* counters = worker->policies[id].load(std::memory_order_acquire))
        totals.add(*counters);

    for (std::size_t i = 0; i < gate::decision_count; ++i) {
      const auto decision = static_cast<gate::Decision>(i);
      const Labels labels{{"policy", policy}, {"decision", name(decision)}};
      if (totals.requests[i].count > 0 || shown_at_zero(id, decision))
        requests.add(labels, totals.requests[i].count);
      if (totals.shadow[i] > 0 || (id != no_policy && shown_at_zero(id, decision)))
        shadow.add(labels, totals.shadow[i]);
      // A histogram is 22 series, and most pairs of policy and decision never happen.
      const auto usual = id == no_policy ? gate::Decision::passed : gate::Decision::forwarded;
      duration.add(labels, totals.requests[i], decision == usual);
    }
    for (std::size_t i = 0; i < code_classes.size(); ++i)
      upstream.add({{"policy", policy}, {"code_class", code_classes[i]}}, totals.upstream[i]);
    const Labels labels{{"policy", policy}};
    upstream_time.add(labels, totals.upstream_time, true);
    latency_added.add(labels, totals.latency_added, true);
    if (id == no_policy) continue;  // what no policy covers is never reserved
    age.add(labels, totals.duplicate_age, true);
    wait.add(labels, totals.entity_wait, true);
    // A scrape may see a reservation's end in one worker and not yet its beginning in another.
    reservations.add(labels, static_cast<double>(std::max<std::int64_t>(totals.reservations, 0)));
    for (std::size_t i = 0; i < endings.size(); ++i)
      operations.add({{"policy", policy}, {"outcome", endings[i]}}, totals.operations[i]);
    for (std::size_t i = 0; i < unprotected_reasons.size(); ++i)
      unprotected.add({{"policy", policy}, {"reason", unprotected_reasons[i]}},
                      totals.unprotected[i]);
    for (std::size_t i = 0; i < near_miss_reasons.size(); ++i)
      near_misses.add({{"policy", policy}, {"reason", near_miss_reasons[i]}},
                      totals.near_misses[i]);
    leases.add(labels, totals.leases_expired);
    refused.add(labels, totals.permits_refused);
  }
  for (Family* family :
       {&requests, &shadow, &duration, &upstream, &upstream_time, &latency_added, &reservations,
        &operations, &unprotected, &near_misses, &leases, &refused, &age, &wait})
    family->move_to(families);
}

void append_leases(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family lease("onceproxy_lease_seconds", "The lease that a new reservation gets.",
               MetricType::Gauge);
  for (const LeaseGauge& one : snapshot.leases) lease.add({{"policy", one.policy}}, one.seconds);
  lease.move_to(families);
}

void append_twins(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  std::uint64_t dropped = 0;
  for (const WorkerCounters* worker : snapshot.workers)
    dropped += worker->twins_dropped.load(std::memory_order_relaxed);
  Family twins("onceproxy_twin_fields_dropped_total",
               "Request fields removed because a service that treats _ and - alike could mistake "
               "them for other fields.",
               MetricType::Counter);
  twins.add({}, dropped);
  twins.move_to(families);
}

void append_connections(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family connections("onceproxy_connections", "Open connections.", MetricType::Gauge);
  for (const auto& [side, label] :
       {std::pair{Side::client, "client"}, std::pair{Side::upstream, "upstream"}}) {
    std::int64_t open = 0;
    for (const WorkerCounters* worker : snapshot.workers)
      open += worker->connections[static_cast<std::size_t>(side)].load(std::memory_order_relaxed);
    connections.add({{"side", label}}, static_cast<double>(std::max<std::int64_t>(open, 0)));
  }
  connections.move_to(families);

  std::int64_t idle = 0;
  for (const WorkerCounters* worker : snapshot.workers)
    idle += worker->idle_connections.load(std::memory_order_relaxed);
  Family kept("onceproxy_upstream_connections_idle",
              "Open connections to the service without a request.", MetricType::Gauge);
  kept.add({}, static_cast<double>(std::max<std::int64_t>(idle, 0)));
  kept.move_to(families);
  if (snapshot.slots) {
    Family slots("onceproxy_slots_in_use", "Slots in use of each limit that all workers share.",
                 MetricType::Gauge);
    slots.add({{"kind", "client-connection"}}, snapshot.slots->clients);
    slots.add({{"kind", "upstream-connection"}}, snapshot.slots->upstreams);
    slots.add({{"kind", "turn"}}, snapshot.slots->turns);
    slots.add({{"kind", "policy-turn"}}, snapshot.slots->policy_turns);
    slots.move_to(families);
  }

  // The label value for everything else; so the metric exists from the start.
  std::map<std::string_view, std::uint64_t> reasons{{"other", 0}};
  for (const WorkerCounters* worker : snapshot.workers)
    worker->bad_requests.each(
        [&](std::string_view reason, std::uint64_t count) { reasons[reason] += count; });
  Family bad("onceproxy_bad_requests_total",
             "Requests refused as malformed or unsafe HTTP, by reason.", MetricType::Counter);
  for (const auto& [reason, count] : reasons) bad.add({{"reason", reason}}, count);
  bad.move_to(families);

  std::map<std::string_view, std::uint64_t> kinds;
  for (const std::string_view kind : connection_defects) kinds[kind] = 0;
  for (const WorkerCounters* worker : snapshot.workers)
    worker->connection_defects.each(
        [&](std::string_view kind, std::uint64_t count) { kinds[kind] += count; });
  Family defects("onceproxy_connection_defects_total",
                 "Connections closed because of a defect in onceproxy.", MetricType::Counter);
  for (const auto& [kind, count] : kinds) defects.add({{"kind", kind}}, count);
  defects.move_to(families);
}

/// The sum over all workers. A scrape may see an end in one and not yet its beginning in another.
template <typename Read>
double gauge_of(const Snapshot& snapshot, Read read) {
  std::int64_t sum = 0;
  for (const WorkerCounters* worker : snapshot.workers)
    sum += read(*worker).load(std::memory_order_relaxed);
  return static_cast<double>(std::max<std::int64_t>(sum, 0));
}

template <typename Read>
std::uint64_t count_of(const Snapshot& snapshot, Read read) {
  std::uint64_t sum = 0;
  for (const WorkerCounters* worker : snapshot.workers)
    sum += read(*worker).load(std::memory_order_relaxed);
  return sum;
}

void append_buffers(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family bytes("onceproxy_buffered_bytes",
               "Memory held by request bodies and answers that are still arriving, and by requests "
               "that wait for the service.",
               MetricType::Gauge);
  Family limit("onceproxy_buffered_bytes_limit", "Limit of this memory, for all workers together.",
               MetricType::Gauge);
  Family shed("onceproxy_buffers_shed_total",
              "Requests refused, or answers not stored, because the memory limit was reached.",
              MetricType::Counter);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Labels labels{{"of", buffers[i]}};
    bytes.add(labels, gauge_of(
                          snapshot, [i](const auto& of) -> auto& { return of.buffered[i]; }));
    limit.add(labels, snapshot.buffered_max[i]);
    shed.add(labels, count_of(
                         snapshot, [i](const auto& of) -> auto& { return of.shed[i]; }));
  }
  for (Family* family : {&bytes, &limit, &shed}) family->move_to(families);
}

void append_upstream(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family abandoned("onceproxy_abandoned_requests",
                   "Requests whose client has left and that still hold their slot.",
                   MetricType::Gauge);
  abandoned.add({}, gauge_of(
                        snapshot, [](const auto& of) -> auto& { return of.abandoned; }));
  Family ended("onceproxy_abandoned_requests_total",
               "Requests that ended after their client had left, by how they ended.",
               MetricType::Counter);
  for (std::size_t i = 0; i < abandoned_ends.size(); ++i) {
    ended.add({{"end", abandoned_ends[i]}},
              count_of(
                  snapshot, [i](const auto& of) -> auto& { return of.abandoned_ended[i]; }));
  }
  Family lost(
      "onceproxy_upstream_reuses_lost_total",
      "Idle connections to the service that were closed before the first byte of an answer.",
      MetricType::Counter);
  lost.add({}, count_of(
                   snapshot, [](const auto& of) -> auto& { return of.reuses_lost; }));
  Family not_accepted("onceproxy_accept_errors_total",
                      "Failed attempts to accept a connection; each is retried.",
                      MetricType::Counter);
  not_accepted.add({}, count_of(
                           snapshot, [](const auto& of) -> auto& { return of.accept_errors; }));
  for (Family* family : {&abandoned, &ended, &lost, &not_accepted}) family->move_to(families);
}

/// By CaptureLoss.
constexpr std::array<std::string_view, capture_loss_count> capture_losses{"queue", "full", "write"};

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

void append_process(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  const auto append = [&](const char* name, const char* help, MetricType type, Labels labels,
                          double value) {
    Family family(name, help, type);
    family.add(labels, value);
    family.move_to(families);
  };
  append("onceproxy_permits_dropped_total",
         "Reservations abandoned without an outcome; they end with their leases.",
         MetricType::Counter, {}, static_cast<double>(snapshot.permits_dropped));
  append("onceproxy_access_log_dropped_total", "Access log lines that could not be written.",
         MetricType::Counter, {}, static_cast<double>(snapshot.access_log_dropped));
  append("onceproxy_captured_requests_total", "Requests written to the capture file.",
         MetricType::Counter, {}, static_cast<double>(snapshot.captured));
  Family lost("onceproxy_capture_dropped_total",
              "Requests missing from the capture file, by reason.", MetricType::Counter);
  for (std::size_t i = 0; i < capture_loss_count; ++i) {
    lost.add({{"reason", capture_losses[i]}}, snapshot.capture_lost[i]);
  }
  lost.move_to(families);
  append("onceproxy_spans_exported_total", "Spans that the trace collector accepted.",
         MetricType::Counter, {}, static_cast<double>(snapshot.spans_exported));
  append("onceproxy_spans_dropped_total", "Spans that could not be exported.", MetricType::Counter,
         {}, static_cast<double>(snapshot.spans_dropped));
  append("onceproxy_upstream_lookup_failures_total",
         "Failed lookups of the service's host name; the last result stays in use.",
         MetricType::Counter, {}, static_cast<double>(snapshot.upstream_lookup_failures));
  append("onceproxy_config_last_reload_successful",
         "1 if the last attempt to load the configuration succeeded.", MetricType::Gauge, {},
         snapshot.reload_successful ? 1 : 0);
  append("onceproxy_config_last_reload_success_timestamp_seconds",
         "When the configuration was last loaded, in seconds since the epoch.", MetricType::Gauge,
         {}, snapshot.reload_success_time);
  append("onceproxy_build_info", "Always 1; the labels are the version and the compiler.",
         MetricType::Gauge, {{"version", snapshot.version}, {"compiler", compiler()}}, 1);
  append_process_metrics(families);
}

}  // namespace

std::vector<MetricFamily> metric_families(const Snapshot& snapshot) {
  std::vector<MetricFamily> families;
  append_policies(families, snapshot);
  append_leases(families, snapshot);
  append_connections(families, snapshot);
  append_buffers(families, snapshot);
  append_upstream(families, snapshot);
  append_twins(families, snapshot);
  append_store(families, snapshot);
  if (snapshot.deliveries) append_deliveries(families, *snapshot.deliveries);
  append_process(families, snapshot);
  return families;
}

}  // namespace onceproxy::telemetry
