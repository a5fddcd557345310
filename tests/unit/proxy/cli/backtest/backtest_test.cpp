#include "proxy/cli/backtest/backtest.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "config/load.hpp"
#include "proxy/cli/backtest/json_line.hpp"

namespace onceproxy::backtest {
namespace {

using gate::Decision;

config::Settings settings(const std::string& policies) {
  const auto loaded = config::load(
      "listen: 127.0.0.1:0\nupstream: {address: \"127.0.0.1:1\"}\nlimits: {body_bytes: 1KiB}\n"
      "policies:\n" +
          policies,
      "test.yaml", [](const std::string&) { return std::nullopt; });
  if (!loaded) FAIL(loaded.error().front().text());
  return *loaded;
}

const std::string orders = R"(
  - name: orders
    match: {methods: [POST], path: "/orders/{id}"}
    fingerprint: client_key
    scope: shared
)";

Report run(const config::Settings& settings, const std::vector<std::string>& lines) {
  Backtest backtest(settings, 1000);
  for (const std::string& line : lines) {
    const auto request = read_json_line(line);
    INFO(line);
    if (!request) FAIL(request.error());
    CHECK(backtest.add(*request));
  }
  return backtest.finish();
}

std::string post(int time, const std::string& more = R"("headers":{"idempotency-key":"k"})") {
  return R"({"method":"POST","target":"/orders/1","time":)" + std::to_string(time) + "," + more +
         "}";
}

std::uint64_t count(const Report& report, Decision decision, std::size_t policy = 0) {
  return report.policies.at(policy).decisions[static_cast<std::size_t>(decision)];
}

TEST_CASE("the policies decide as they would have") {
  const Report report = run(settings(orders), {post(1), post(2), post(3, R"("status":200)"),
                                               R"({"time":4,"method":"GET","target":"/orders/1"})",
                                               post(5, R"("headers":{"idempotency-key":""})")});
  CHECK(report.requests == 5);
  CHECK(count(report, Decision::forwarded) == 1);
  CHECK(count(report, Decision::replayed) == 1);
  CHECK(count(report, Decision::missing_key) == 1);
  CHECK(count(report, Decision::bad_key) == 1);
  CHECK(report.policies[0].requests() == 4);
  CHECK(report.uncovered == 1);
  CHECK(report.without_status == 2);
  CHECK(moment_text(*report.from) == "1970-01-01T00:00:01.000Z");
  CHECK(moment_text(*report.to) == "1970-01-01T00:00:05.000Z");
}

TEST_CASE("a policy with delivery accepts, whatever the service answered then") {
  const Report report =
      run(settings(orders + "    delivery: {listeners: [{name: a, address: \"127.0.0.1:1\"}]}\n"),
          {post(1, R"("status":503,"duration_ms":9000,"headers":{"idempotency-key":"k"})"), post(2),
           post(3, R"("headers":{"idempotency-key":"other"})")});
  CHECK(count(report, Decision::accepted) == 2);
  CHECK(count(report, Decision::replayed) == 1);
  CHECK(count(report, Decision::forwarded) == 0);
}

TEST_CASE("the status in the log says what became of the operation") {
  const std::string key = R"("headers":{"idempotency-key":"k"},"status":)";
  const Report released =
      run(settings(orders), {post(1, key + "500"), post(2, key + "200"), post(3, key + "200")});
  CHECK(count(released, Decision::forwarded) == 2);
  CHECK(count(released, Decision::replayed) == 1);
  const Report unknown = run(settings(orders), {post(1, key + "0"), post(2, key + "200"),
                                                post(3, key + "502"), post(40, key + "200")});
  CHECK(count(unknown, Decision::held) == 2);
  CHECK(count(unknown, Decision::forwarded) == 2);
}

TEST_CASE("the first policy that matches has the request, also where it is off") {
  const Report report = run(settings(R"(
  - name: off
    match: {path: /orders/1}
    fingerprint: client_key
    scope: shared
    enforcement: {mode: "off"}
)" + orders),
                            {post(1), post(2)});
  CHECK(count(report, Decision::passed, 0) == 2);
  CHECK(report.policies[1].requests() == 0);
}

TEST_CASE("a missing key passes where the policy says so") {
  const Report report =
      run(settings(orders + "    on_missing: pass\n"), {post(1, R"("status":200)")});
  CHECK(count(report, Decision::passed) == 1);
}

TEST_CASE("an unreadable body is decided as it would have been") {
  const auto asking = [](const std::string& more) {
    return R"(
  - name: asking
    match: {path: "/orders/{id}", where: [{body: /type, equals: a}]}
    fingerprint: client_key
    scope: shared
)" + more;
  };
  const std::string broken = post(1, R"("headers":{"idempotency-key":"k"},"body":"{\"type\":")");
  CHECK(count(run(settings(asking("")), {broken}), Decision::unreadable) == 1);
  CHECK(count(run(settings(asking("    enforcement: {mode: shadow}\n")), {broken}),
              Decision::unreadable) == 1);
  CHECK(count(run(settings(asking("    on_unreadable: pass\n")), {broken}), Decision::passed) == 1);
  const Report off = run(settings(asking("    enforcement: {mode: off}\n") + orders), {broken});
  CHECK(count(off, Decision::forwarded, 1) == 1);
}

TEST_CASE("requests that the data port would refuse reach no policy") {
  const Report report = run(
      settings(orders),
      {R"({"time":1,"method":"POST","target":"/orders/%2f"})",
       R"({"time":1,"method":"POST","target":"/orders/%zz"})",
       post(1, R"("headers":{"idempotency-key":"k"},"body":")" + std::string(1025, 'x') + "\"")});
  CHECK(report.bad_requests == 3);
  CHECK(report.policies[0].requests() == 0);
  CHECK(report.requests == 3);
}

TEST_CASE("paths are matched in normal form, and the target is the request's own") {
  const Report report =
      run(settings(orders), {R"({"time":1,"method":"POST","url":"http://h//orders/./%31?x",)"
                             R"("headers":{"idempotency-key":"k"}})",
                             post(2)});
  // One key, two targets: that is what the payload of a client's key is compared for.
  CHECK(count(report, Decision::forwarded) == 1);
  CHECK(count(report, Decision::mismatch) == 1);
}

TEST_CASE("text is decoded already, bytes are not") {
  const config::Settings by_body = settings(R"(
  - name: orders
    fingerprint: [{body: /id}]
    scope: shared
)");
  const std::string gzip = R"("headers":{"content-encoding":"gzip"},)";
  const Report text =
      run(by_body, {post(1, gzip + R"("body":"{\"id\":1}")"), post(2, R"("body":{"id":1.0})")});
  CHECK(count(text, Decision::replayed) == 1);
  // {"id":1}, deflated by gzip.
  const Report bytes =
      run(by_body, {post(1, gzip + R"("body_base64":"H4sIAAAAAAACA6tWykxRsjKsBQDF+F1ECAAAAA==")"),
                    post(2, gzip + R"("body_base64":"e30=")")});
  CHECK(count(bytes, Decision::forwarded) == 1);
  CHECK(count(bytes, Decision::unreadable) == 1);
}

TEST_CASE("time does not go back, and requests that do are counted") {
  const Report report =
      run(settings(orders + "    window: 1m\n"), {post(100), post(90), post(95), post(162)});
  CHECK(report.out_of_order == 2);
  CHECK(report.out_of_order_max == std::chrono::seconds{10});
  CHECK(count(report, Decision::replayed) == 2);
  CHECK(count(report, Decision::forwarded) == 2);
  CHECK(moment_text(*report.from) == "1970-01-01T00:01:40.000Z");
}

TEST_CASE("an answer larger than the policy keeps cannot be replayed") {
  const std::string head = R"("headers":{"idempotency-key":"k"},"response_bytes":)";
  const Report report =
      run(settings(orders + "    replay: {max_body: 1KiB}\n"), {post(1, head + "1025"), post(2)});
  CHECK(count(report, Decision::not_replayable) == 1);
}

TEST_CASE("shadow and percentages count as enforced") {
  const Report report =
      run(settings(orders + "    enforcement: {mode: shadow, percent: 0}\n"), {post(1), post(2)});
  CHECK(count(report, Decision::forwarded) == 1);
  CHECK(count(report, Decision::replayed) == 1);
}

TEST_CASE("entities, overrides and rate limits take part") {
  const Report report = run(
      settings(R"(
  - name: alerts
    match: {path: "/alerts/{ride}"}
    fingerprint: [{body: /id}]
    entity: {type: ride, id: [{path: ride}], sequence: {body: /n}}
    on_duplicate: {status: 200}
    overrides:
      - where: {body: /severity, equals: low}
        rate_limit: {limit: 1, per: 1h, by: [{path: ride}]}
)"),
      {R"({"time":1,"method":"POST","target":"/alerts/1","body":{"id":1,"n":5}})",
       R"({"time":2,"method":"POST","target":"/alerts/1","body":{"id":2,"n":4}})",
       R"({"time":3,"method":"POST","target":"/alerts/2","body":{"id":3,"n":1,"severity":"low"}})",
       R"({"time":4,"method":"POST","target":"/alerts/2","body":{"id":4,"n":2,"severity":"low"}})",
       R"({"time":5,"method":"POST","target":"/alerts/2","body":{"id":5,"n":3}})",
       R"({"time":6,"method":"POST","target":"/alerts/2","body":{"id":5,"n":3}})"});
  CHECK(count(report, Decision::forwarded) == 3);
  CHECK(count(report, Decision::stale) == 1);
  CHECK(count(report, Decision::rate_limited) == 1);
  CHECK(count(report, Decision::suppressed) == 1);
}

}  // namespace
}  // namespace onceproxy::backtest
