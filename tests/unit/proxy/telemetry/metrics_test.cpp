#include "proxy/telemetry/metrics.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "exposition_text.hpp"

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a request is counted under its policy and decision, and its time in the buckets above") {
  Metrics metrics("1.2.3");
  const PolicyId dispatch = metrics.policy("dispatch");
  WorkerMetrics& worker = metrics.add_worker();
  worker.request(dispatch, gate::Decision::in_flight, 100us);
  worker.request(dispatch, gate::Decision::in_flight, 3ms);
  worker.request(dispatch, gate::Decision::in_flight, 61s);

  const Exposition shown(metrics.exposition());
  const std::string labels = R"(policy="dispatch",decision="in-flight")";
  CHECK(shown.at("onceproxy_requests_total{" + labels + "}") == 3);
  const std::string histogram = "onceproxy_request_duration_seconds";
  CHECK(shown.at(histogram + "_bucket{" + labels + R"(,le="0.0001"})") == 1);
  CHECK(shown.at(histogram + "_bucket{" + labels + R"(,le="0.0025"})") == 1);
  CHECK(shown.at(histogram + "_bucket{" + labels + R"(,le="0.005"})") == 2);
  CHECK(shown.at(histogram + "_bucket{" + labels + R"(,le="60"})") == 2);
  CHECK(shown.at(histogram + "_bucket{" + labels + R"(,le="+Inf"})") == 3);
  CHECK(shown.at(histogram + "_count{" + labels + "}") == 3);
  CHECK(shown.at(histogram + "_sum{" + labels + "}").value() == Approx(61.0031));
  CHECK(shown.types.at(histogram) == "histogram");
  CHECK(shown.types.at("onceproxy_requests_total") == "counter");
}

TEST_CASE("the counters of all workers are added up") {
  Metrics metrics("1");
  WorkerMetrics& first = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  WorkerMetrics& second = metrics.add_worker();
  for (WorkerMetrics* worker : {&first, &second}) {
    worker->request(policy, gate::Decision::forwarded, 1ms);
    worker->upstream(policy, 204, 1ms);
    worker->bad_request("no-host");
    worker->lease_expired(policy);
    worker->permit_refused(policy);
    worker->operation(policy, Ending::unknown);
    worker->connection(Side::client, 2);
    worker->connection(Side::client, -1);
  }
  first.reservation(policy, 1);
  first.reservation(policy, 1);
  second.reservation(policy, -1);
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_requests_total{policy="p",decision="forwarded"})") == 2);
  CHECK(shown.at("onceproxy_request_duration_seconds_bucket"
                 R"({policy="p",decision="forwarded",le="0.001"})") == 2);
  CHECK(shown.at(R"(onceproxy_upstream_requests_total{policy="p",code_class="2xx"})") == 2);
  CHECK(shown.at(R"(onceproxy_bad_requests_total{reason="no-host"})") == 2);
  CHECK(shown.at(R"(onceproxy_leases_expired_total{policy="p"})") == 2);
  CHECK(shown.at(R"(onceproxy_permits_refused_total{policy="p"})") == 2);
  CHECK(shown.at(R"(onceproxy_operations_total{policy="p",outcome="unknown"})") == 2);
  CHECK(shown.at(R"(onceproxy_connections{side="client"})") == 2);
  CHECK(shown.at(R"(onceproxy_connections{side="upstream"})") == 0);
  CHECK(shown.at(R"(onceproxy_reservations_active{policy="p"})") == 1);
}

TEST_CASE("an upstream's answer counts by its class, no answer as error") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  for (const int status : {200, 299, 301, 404, 599, 0, 99, 600, -1})
    worker.upstream(no_policy, status, 10ms);
  const Exposition shown(metrics.exposition());
  const auto of = [&](const std::string& code_class) {
    return shown.at(R"(onceproxy_upstream_requests_total{policy="",code_class=)" +
                    quoted(code_class) + "}");
  };
  CHECK(of("2xx") == 2);
  CHECK(of("3xx") == 1);
  CHECK(of("4xx") == 1);
  CHECK(of("5xx") == 1);
  CHECK(of("error") == 4);
  CHECK(of("1xx") == 0);
  CHECK(shown.at(R"(onceproxy_upstream_duration_seconds_count{policy=""})") == 9);
}

TEST_CASE("a duplicate's age reaches to a week and beyond") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  worker.duplicate(policy, 999ms);
  worker.duplicate(policy, 24h * 7);
  worker.duplicate(policy, 24h * 8);
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_duplicate_age_seconds_bucket{policy="p",le="1"})") == 1);
  CHECK(shown.at(R"(onceproxy_duplicate_age_seconds_bucket{policy="p",le="604800"})") == 2);
  CHECK(shown.at(R"(onceproxy_duplicate_age_seconds_count{policy="p"})") == 3);
}

TEST_CASE("large numbers are shown to the last digit") {
  Metrics metrics("1");
  store::PostgresStats stats;
  stats.bytes = 4'294'967'297;
  stats.records_estimate = 1'234'567'891;
  metrics.store_gauges([&] { return StoreGauges{stats}; });
  const std::string text = metrics.exposition();
  CHECK(text.find("onceproxy_store_bytes 4294967297\n") != std::string::npos);
  CHECK(text.find(R"(onceproxy_store_records{state="all"} 1234567891)") != std::string::npos);
}

TEST_CASE("a failed reload shows, and leaves the time of the last good one") {
  Metrics metrics("1");
  const Exposition before(metrics.exposition());
  CHECK(before.at("onceproxy_config_last_reload_successful") == 1);
  metrics.reloaded(false);
  const Exposition after(metrics.exposition());
  const std::string time = "onceproxy_config_last_reload_success_timestamp_seconds";
  CHECK(after.at("onceproxy_config_last_reload_successful") == 0);
  CHECK(after.at(time) == before.at(time));
  CHECK(after.at(time).value() > 1.7e9);
  metrics.reloaded(true);
  const Exposition again(metrics.exposition());
  CHECK(again.at("onceproxy_config_last_reload_successful") == 1);
  CHECK(again.at(time).value() >= after.at(time).value());
}

TEST_CASE("no label holds what does not look like a word of ours") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  worker.bad_request("GET /secret\n");
  worker.bad_request("");
  metrics.store_error("key=\"4711\"");
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_bad_requests_total{reason="other"})") == 2);
  CHECK(shown.at(R"(onceproxy_store_errors_total{operation="other"})") == 1);
  CHECK_FALSE(shown.mentions("secret"));
}

TEST_CASE("buffered memory is shown by kind, for all workers, with its limit") {
  Metrics metrics("1");
  WorkerMetrics& one = metrics.add_worker();
  WorkerMetrics& other = metrics.add_worker();
  metrics.buffered_max(Buffered::bodies, 1000);
  one.buffered(Buffered::bodies, 300);
  other.buffered(Buffered::bodies, 200);
  one.buffered(Buffered::bodies, -100);
  other.shed(Buffered::answers);
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_buffered_bytes{of="bodies"})") == 400);
  CHECK(shown.at(R"(onceproxy_buffered_bytes_limit{of="bodies"})") == 1000);
  CHECK(shown.at(R"(onceproxy_buffers_shed_total{of="answers"})") == 1);
  for (const std::string of : {"bodies", "waiters"}) {
    CHECK(shown.at("onceproxy_buffers_shed_total{of=\"" + of + "\"}") == 0);
  }
}

TEST_CASE("requests that nobody waits for are shown while they last, and counted by their end") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  worker.abandoned(+1);
  worker.abandoned(+1);
  worker.abandoned(-1);
  worker.abandoned_ended(AbandonedEnd::timed_out);
  worker.reuse_lost();
  worker.accept_error();
  worker.accept_error();
  const Exposition shown(metrics.exposition());
  CHECK(shown.at("onceproxy_abandoned_requests") == 1);
  CHECK(shown.at(R"(onceproxy_abandoned_requests_total{end="timeout"})") == 1);
  CHECK(shown.at(R"(onceproxy_abandoned_requests_total{end="answered"})") == 0);
  CHECK(shown.at("onceproxy_upstream_reuses_lost_total") == 1);
  CHECK(shown.at("onceproxy_accept_errors_total") == 2);
}

TEST_CASE("words beyond the table's size count as other, and none is lost") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  std::vector<std::string> words;
  for (int i = 0; i < 100; ++i) words.push_back("reason-" + std::to_string(i));
  for (int round = 0; round < 2; ++round)
    for (const std::string& word : words) {
      worker.bad_request(word);
      metrics.store_error(word);
    }
  const Exposition shown(metrics.exposition());
  for (const std::string family :
       {"onceproxy_bad_requests_total", "onceproxy_store_errors_total"}) {
    double sum = 0;
    int series = 0;
    for (const auto& [name, value] : shown.samples)
      if (name.starts_with(family)) {
        sum += value;
        ++series;
      }
    CHECK(sum == 200);
    CHECK(series <= 65);
  }
}

TEST_CASE("a policy keeps its number, and numbers beyond the most count as no policy") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  CHECK(metrics.policy("") == no_policy);
  const PolicyId first = metrics.policy("first");
  CHECK(first != no_policy);
  CHECK(metrics.policy("second") != first);
  CHECK(metrics.policy("first") == first);
  for (std::size_t i = 3; i < policies_max; ++i) metrics.policy("p" + std::to_string(i));
  CHECK(metrics.policy("p4095") == policies_max - 1);
  const PolicyId beyond = metrics.policy("one-too-many");
  CHECK(beyond == no_policy);
  worker.request(beyond, gate::Decision::forwarded, 1ms);
  worker.request(123'456, gate::Decision::forwarded, 1ms);
  CHECK(Exposition(metrics.exposition())
            .at(R"(onceproxy_requests_total{policy="",decision="forwarded"})") == 2);
}

TEST_CASE("policies may be added and scraped while workers count") {
  Metrics metrics("1");
  constexpr int workers = 3, rounds = 2000, policies = 50;
  std::atomic<PolicyId> newest{metrics.policy("p0")};
  std::atomic<bool> scrape{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i)
    threads.emplace_back([&] {
      WorkerMetrics& worker = metrics.add_worker();
      for (int n = 0; n < rounds; ++n) {
        worker.request(newest.load(std::memory_order_relaxed), gate::Decision::forwarded, 1ms);
        worker.bad_request(n % 2 == 0 ? "head-too-large" : "no-host");
      }
    });
  std::thread scraper([&] {
    while (scrape) Exposition shown(metrics.exposition());
  });
  for (int i = 1; i < policies; ++i)
    newest.store(metrics.policy("p" + std::to_string(i)), std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  scrape = false;
  scraper.join();
  double sum = 0;
  const Exposition shown(metrics.exposition());
  for (const auto& [name, value] : shown.samples)
    if (name.starts_with("onceproxy_requests_total{policy=\"p") &&
        name.ends_with("decision=\"forwarded\"}"))
      sum += value;
  CHECK(sum == workers * rounds);
  CHECK(shown.at(R"(onceproxy_bad_requests_total{reason="no-host"})") == workers * rounds / 2);
}

TEST_CASE("the latency added is a policy's own, in buckets from a tenth of a millisecond") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  worker.latency_added(policy, 100us);
  worker.latency_added(policy, 101us);
  worker.latency_added(no_policy, 1s);
  const Exposition shown(metrics.exposition());
  const std::string name = "onceproxy_latency_added_seconds";
  CHECK(shown.at(name + R"(_bucket{policy="p",le="0.0001"})") == 1);
  CHECK(shown.at(name + R"(_count{policy="p"})") == 2);
  CHECK(shown.at(name + R"(_sum{policy="p"})").value() == Approx(0.000201));
  CHECK(shown.at(name + R"(_count{policy=""})") == 1);
}

TEST_CASE("shadow decisions and waits for an entity are counted by policy") {
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  CHECK_FALSE(Exposition(metrics.exposition()).mentions("shadow_decisions_total{policy=\"\""));
  worker.shadow(policy, gate::Decision::mismatch);
  worker.entity_wait(policy, 20ms);
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_shadow_decisions_total{policy="p",decision="mismatch"})") == 1);
  CHECK(shown.at(R"(onceproxy_entity_wait_seconds_count{policy="p"})") == 1);
}

TEST_CASE("the build and the process are described") {
  Metrics metrics("1.2.3-rc\"1\"");
  const std::string text = metrics.exposition();
  CHECK(text.find(R"(onceproxy_build_info{version="1.2.3-rc\"1\"",compiler=")") !=
        std::string::npos);
  const Exposition shown(text);
  CHECK(shown.at("process_resident_memory_bytes").value() > 1e6);
  CHECK(shown.at("process_virtual_memory_bytes").value() >
        shown.at("process_resident_memory_bytes").value());
  CHECK(shown.at("process_open_fds").value() >= 3);
  CHECK(shown.at("process_max_fds").value() >= shown.at("process_open_fds").value());
  CHECK(shown.at("process_cpu_seconds_total").value() >= 0);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(shown.at("process_start_time_seconds").value() <= now + 2);
  CHECK(shown.at("process_start_time_seconds").value() > now - 24 * 3600);
}

}  // namespace
}  // namespace onceproxy::telemetry
