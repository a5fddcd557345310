#include "proxy/telemetry/postgres_exposition.hpp"

#include "proxy/telemetry/family.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  explicit Families(std::vector<MetricFamily>& out) : out_(out) {}

  void gauge(const char* name, const char* help, std::uint64_t value) {
    add(name, help, MetricType::Gauge, value);
  }
  void counter(const char* name, const char* help, std::uint64_t value) {
    add(name, help, MetricType::Counter, value);
  }

 private:
  void add(const char* name, const char* help, MetricType type, std::uint64_t value) {
    Family family(name, help, type);
    family.add({}, value);
    family.move_to(out_);
  }

  std::vector<MetricFamily>& out_;
};

void append_gauges(Families& out, const store::PostgresStats& now) {
  out.gauge("onceproxy_postgres_circuit_open",
            "1 while the database does not answer and operations are refused without asking it.",
            std::uint64_t{now.circuit_open});
  out.gauge("onceproxy_postgres_listening",
            "1 while notifications of the other instances are received.", std::uint64_t{now.hears});
  out.gauge("onceproxy_postgres_connections", "Open connections to the database.", now.connections);
  out.gauge("onceproxy_postgres_connections_limit",
            "Maximum number of connections (store.postgres.connections).", now.connections_max);
  out.gauge("onceproxy_postgres_queued", "Operations that wait for a connection.", now.queued);
  out.gauge("onceproxy_postgres_queued_limit",
            "Number of waiting operations above which further operations are refused.",
            now.queued_max);
  out.gauge("onceproxy_postgres_cache_bytes", "Memory held by recently confirmed answers.",
            now.cache_bytes);
  out.gauge("onceproxy_postgres_cache_bytes_limit", "Limit of this memory (store.postgres.cache).",
            now.cache_bytes_max);
  out.gauge("onceproxy_postgres_retained",
            "Outcomes that could not be written and are retried when the database answers.",
            now.retained);
}

void append_counters(Families& out, const store::PostgresStats& now) {
  out.counter("onceproxy_postgres_round_trips_total", "Round trips to the database.",
              now.round_trips);
  out.counter("onceproxy_postgres_connects_total", "Connections to the database that were opened.",
              now.connects);
  out.counter("onceproxy_postgres_connect_failures_total",
              "Failed attempts to connect to the database.", now.connect_failures);
  out.counter("onceproxy_postgres_timeouts_total",
              "Operations that the database did not answer in time.", now.timeouts);
  out.counter("onceproxy_postgres_replication_waits_total",
              "Answers that waited until the standbys had confirmed the row that they repeat.",
              now.replication_waits);
  out.counter("onceproxy_postgres_replication_unconfirmed_total",
              "Answers that were not given because the standbys did not confirm in time.",
              now.replication_unconfirmed);
  out.counter("onceproxy_postgres_cache_hits_total",
              "Replays from memory, without a round trip to the database.", now.cache_hits);
  out.counter("onceproxy_postgres_notifications_total",
              "Notifications received from other instances.", now.notifications);
  out.counter("onceproxy_postgres_leases_lost_total",
              "Leases that ended during their request because they could not be renewed.",
              now.leases_lost);
}

}  // namespace

void append_postgres(std::vector<MetricFamily>& families, const store::PostgresStats& now) {
  Families out(families);
  append_gauges(out, now);
  append_counters(out, now);
  Family retries("onceproxy_postgres_retries_total",
                 "Operations, or statements of several, that were sent again, by reason.",
                 MetricType::Counter);
  retries.add({{"reason", "connection"}}, now.retries_connection);
  retries.add({{"reason", "conflict"}}, now.retries_conflict);
  retries.add({{"reason", "deadlock"}}, now.retries_deadlock);
  retries.add({{"reason", "shutdown"}}, now.retries_shutdown);
  retries.add({{"reason", "other"}}, now.retries_other);
  retries.move_to(families);
}

}  // namespace onceproxy::telemetry
