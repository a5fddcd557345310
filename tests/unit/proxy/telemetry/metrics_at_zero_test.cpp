// Which series the metrics show from the start, at zero.
#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "exposition_text.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

TEST_CASE("every way an operation can end has a word of its own, shown at zero") {
  const std::pair<Ending, std::string> words[] = {{Ending::completed, "completed"},
                                                  {Ending::released, "released"},
                                                  {Ending::not_sent, "not-sent"},
                                                  {Ending::unknown, "unknown"},
                                                  {Ending::unsaved, "unsaved"}};
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  for (const auto& [ending, word] : words) {
    INFO(word);
    const std::string series =
        R"(onceproxy_operations_total{policy="p",outcome=)" + quoted(word) + "}";
    CHECK(Exposition(metrics.exposition()).at(series) == 0);
    worker.operation(policy, ending);
    CHECK(Exposition(metrics.exposition()).at(series) == 1);
  }
}

TEST_CASE("every kind of store error is shown at zero, so that the first failure is a rise") {
  Metrics metrics("1");
  for (const std::string word :
       {"audit", "background", "clock", "close", "compact", "decode", "duplicates", "extend",
        "files", "flush", "open", "permissions", "read", "retain", "write"}) {
    INFO(word);
    const std::string series = "onceproxy_store_errors_total{operation=" + quoted(word) + "}";
    CHECK(Exposition(metrics.exposition()).at(series) == 0);
    metrics.store_error(word);
    CHECK(Exposition(metrics.exposition()).at(series) == 1);
  }
}

TEST_CASE("every kind of near miss has a word of its own, shown at zero for a policy alone") {
  const std::pair<NearMiss, std::string> words[] = {{NearMiss::method, "method"},
                                                    {NearMiss::header, "header"},
                                                    {NearMiss::condition, "condition"},
                                                    {NearMiss::path, "path"}};
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  for (const auto& [reason, word] : words) {
    INFO(word);
    const std::string series =
        R"(onceproxy_near_misses_total{policy="p",reason=)" + quoted(word) + "}";
    CHECK(Exposition(metrics.exposition()).at(series) == 0);
    worker.near_miss(policy, reason);
    CHECK(Exposition(metrics.exposition()).at(series) == 1);
  }
  CHECK(metrics.exposition().find("near_misses_total{policy=\"\"") == std::string::npos);
}

TEST_CASE("every reason to forward without protection has a word of its own, shown at zero") {
  const std::pair<Unprotected, std::string> words[] = {{Unprotected::off, "off"},
                                                       {Unprotected::percent, "percent"},
                                                       {Unprotected::missing, "missing-key"},
                                                       {Unprotected::store, "store-error"}};
  Metrics metrics("1");
  WorkerMetrics& worker = metrics.add_worker();
  const PolicyId policy = metrics.policy("p");
  for (const auto& [reason, word] : words) {
    INFO(word);
    const std::string series =
        R"(onceproxy_unprotected_total{policy="p",reason=)" + quoted(word) + "}";
    CHECK(Exposition(metrics.exposition()).at(series) == 0);
    worker.unprotected(policy, reason);
    CHECK(Exposition(metrics.exposition()).at(series) == 1);
  }
}

TEST_CASE("unknown records show for every policy, and for those that the store alone remembers") {
  Metrics metrics("1");
  metrics.policy("rides");
  StoreGauges::RocksDb store;
  store.stats.records.unknown_by_policy = {{"rides", true, 2, 90'500ms}, {"gone", false, 1, 3s}};
  metrics.store_gauges([&] { return StoreGauges{store}; });
  const Exposition shown(metrics.exposition());
  const auto at = [&](const std::string& name, const std::string& policy, const std::string& then) {
    return shown.at(name + "{policy=" + quoted(policy) + ",then=" + quoted(then) + "}");
  };
  CHECK(at("onceproxy_unknown_records", "rides", "hold") == 2);
  CHECK(at("onceproxy_unknown_records", "rides", "retry") == 0);
  CHECK(at("onceproxy_unknown_records", "gone", "retry") == 1);
  CHECK(at("onceproxy_unknown_oldest_age_seconds", "rides", "hold") == 90.5);
  CHECK(at("onceproxy_unknown_oldest_age_seconds", "rides", "retry") == 0);
}

TEST_CASE("a known policy shows at zero, whatever panels and alerts ask of it") {
  Metrics metrics("1");
  metrics.add_worker();
  metrics.policy("typo");
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_requests_total{policy="typo",decision="forwarded"})") == 0);
  CHECK(shown.at(R"(onceproxy_requests_total{policy="typo",decision="replayed"})") == 0);
  CHECK(shown.at(R"(onceproxy_requests_total{policy="",decision="passed"})") == 0);
  CHECK(shown.at(R"(onceproxy_reservations_active{policy="typo"})") == 0);
  for (const char* series :
       {R"(onceproxy_requests_total{policy="typo",decision="held"})",
        R"(onceproxy_shadow_decisions_total{policy="typo",decision="closed"})",
        R"(onceproxy_upstream_requests_total{policy="typo",code_class="error"})",
        R"(onceproxy_upstream_duration_seconds_count{policy="typo"})",
        R"(onceproxy_request_duration_seconds_count{policy="typo",decision="forwarded"})",
        R"(onceproxy_latency_added_seconds_count{policy="typo"})",
        R"(onceproxy_entity_wait_seconds_count{policy="typo"})",
        R"(onceproxy_duplicate_age_seconds_count{policy="typo"})",
        "onceproxy_store_commit_duration_seconds_count", "onceproxy_store_batch_size_count",
        R"(onceproxy_bad_requests_total{reason="other"})"}) {
    INFO(series);
    CHECK(shown.at(series) == 0);
  }
  // Most pairs of policy and decision never happen.
  CHECK_FALSE(
      shown.at(R"(onceproxy_request_duration_seconds_count{policy="typo",decision="held"})"));
}

TEST_CASE("defects that end connections are counted by kind, and show from the start") {
  Metrics metrics("1");
  metrics.add_worker().connection_defect(awaited_twice);
  metrics.add_worker().connection_defect(awaited_twice);
  const Exposition shown(metrics.exposition());
  CHECK(shown.at(R"(onceproxy_connection_defects_total{kind="awaited-twice"})") == 2);
  CHECK(shown.at(R"(onceproxy_connection_defects_total{kind="exception"})") == 0);
}

}  // namespace
}  // namespace onceproxy::telemetry
