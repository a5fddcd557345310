#include <fstream>
#include <set>
#include <sstream>

#include "loading.hpp"
#include "policies/policy_set.hpp"
#include "policies/request_view.hpp"
#include "policies/select.hpp"

namespace onceproxy::config {
namespace {

Settings example(const std::string& name, const Variables& variables = {}) {
  std::ifstream file(EXAMPLES_DIR "/" + name);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  auto result = load(text.str(), name, environment_of(variables));
  if (!result) {
    for (const Problem& problem : result.error()) FAIL_CHECK(problem.text());
  }
  REQUIRE(result);
  return *std::move(result);
}

/// What a request with a JSON body comes to under an example's policies.
struct Outcome {
  std::string policy;
  std::string fingerprint;
  std::string payload;
  std::string missing;
};

class Example {
 public:
  explicit Example(const std::string& name) : set_(example(name).policies) {}

  Outcome of(std::string_view method, std::string_view path, std::string_view body,
             std::vector<policies::Field> headers = {}) const {
    policies::RequestView request;
    request.method = method;
    request.target = path;
    request.path = path;
    headers.push_back({"content-type", "application/json"});
    request.headers = headers;
    policies::Document document(request, body, 1 << 20);
    const auto* policy = set_.choose(set_.candidates(request), request, document);
    if (policy == nullptr) return {};
    const auto operation = policies::select_operation(*policy, request, document);
    if (!operation) return {policy->name, "", "", operation.error().detail};
    return {policy->name, operation->fingerprint.hex(),
            operation->payload ? operation->payload->hex() : "", ""};
  }

  const policies::Policy& policy(std::size_t i) const { return set_.policies().at(i); }

 private:
  policies::PolicySet set_;
};

TEST_CASE("Every example listens and stores where the variables say") {
  for (const char* name : {"minimal.yaml", "client-key.yaml", "ride-dispatch.yaml",
                           "alert-receiver.yaml", "broker-push.yaml"}) {
    CAPTURE(name);
    const Settings defaults = example(name);
    REQUIRE(defaults.listen.size() == 1);
    CHECK(defaults.listen[0].text() == "127.0.0.1:8080");
    CHECK(defaults.upstream.address.text() == "127.0.0.1:8081");
    CHECK(defaults.store.path == "/var/lib/onceproxy");
    CHECK(defaults.admin->text() == "127.0.0.1:9901");
    CHECK(defaults.telemetry->text() == "127.0.0.1:9902");
    const Settings set = example(name, {{"ONCEPROXY_LISTEN", "127.0.0.1:0"},
                                        {"ONCEPROXY_UPSTREAM", "unix:/tmp/up"},
                                        {"ONCEPROXY_DATA", "/tmp/data"},
                                        {"ONCEPROXY_ADMIN", "unix:/tmp/admin"},
                                        {"ONCEPROXY_TELEMETRY", "[::1]:0"}});
    CHECK(set.listen[0].text() == "127.0.0.1:0");
    CHECK(set.upstream.address.text() == "unix:/tmp/up");
    CHECK(set.store.path == "/tmp/data");
    CHECK(set.admin->text() == "unix:/tmp/admin");
    CHECK(set.telemetry->text() == "[::1]:0");
  }
}

TEST_CASE("client-key and minimal: one caller's key is one operation, whatever the body") {
  for (const char* name : {"minimal.yaml", "client-key.yaml"}) {
    CAPTURE(name);
    const Example file(name);
    const std::vector<policies::Field> caller{{"authorization", "a"}, {"idempotency-key", "k-1"}};
    const Outcome first = file.of("POST", "/orders", "{\"n\":1}", caller);
    CHECK(first.policy == "client-key");
    CHECK(!first.fingerprint.empty());
    const Outcome same = file.of("POST", "/orders", "{ \"n\": 1.0 }", caller);
    CHECK(same.fingerprint == first.fingerprint);
    CHECK(same.payload == first.payload);
    const Outcome conflicting = file.of("POST", "/orders", "{\"n\":2}", caller);
    CHECK(conflicting.fingerprint == first.fingerprint);
    CHECK(conflicting.payload != first.payload);
    const Outcome other = file.of("POST", "/orders", "{\"n\":1}",
                                  {{"authorization", "b"}, {"idempotency-key", "k-1"}});
    CHECK(other.fingerprint != first.fingerprint);
    CHECK(file.of("POST", "/orders", "{}", {{"authorization", "a"}}).missing ==
          "client_key: Idempotency-Key");
    CHECK(file.of("GET", "/orders", "").policy.empty());
    CHECK(!file.policy(0).on_duplicate);
  }
}

TEST_CASE("ride-dispatch: a dispatch is a ride, a driver and a sequence") {
  const Example file("ride-dispatch.yaml");
  const std::string path = "/v1/rides/r1/dispatch";
  const Outcome first = file.of("POST", path, R"({"driver_id":"d","sequence":1,"eta":3})");
  CHECK(first.policy == "dispatch");
  CHECK(first.fingerprint ==
        file.of("POST", path, R"({"sequence":1.0,"eta":3,"driver_id":"d"})").fingerprint);
  const Outcome conflicting = file.of("POST", path, R"({"driver_id":"d","sequence":1,"eta":4})");
  CHECK(conflicting.fingerprint == first.fingerprint);
  CHECK(conflicting.payload != first.payload);
  CHECK(file.of("POST", path, R"({"driver_id":"d","sequence":2})").fingerprint !=
        first.fingerprint);
  CHECK(file.of("POST", "/v1/rides/r2/dispatch", R"({"driver_id":"d","sequence":1})").fingerprint !=
        first.fingerprint);
  CHECK(file.of("POST", path, R"({"driver_id":"d"})").missing == "body: /sequence");
}

TEST_CASE("ride-dispatch: a position is the same to six decimals") {
  const Example file("ride-dispatch.yaml");
  const auto at = [&](const std::string& latitude) {
    return file.of("POST", "/v1/drivers/d1/location",
                   R"({"recorded_at":1700000000,"longitude":13.4,"latitude":)" + latitude + "}");
  };
  CHECK(at("52.5200061").policy == "location");
  CHECK(at("52.5200061").fingerprint == at("52.52000649").fingerprint);
  CHECK(at("52.520006").fingerprint != at("52.520007").fingerprint);
  CHECK(file.policy(1).on_missing == policies::OnMissing::pass);
  REQUIRE(file.policy(1).on_duplicate);
  CHECK(file.policy(1).on_duplicate->status == 204);
}

TEST_CASE("ride-dispatch: a push is remembered for 300 seconds") {
  const Example file("ride-dispatch.yaml");
  const std::string path = "/v1/notifications/push";
  const Outcome first = file.of("POST", path, R"({"recipient_id":1,"ride_id":2,"kind":"Arrived"})");
  CHECK(first.policy == "push");
  CHECK(first.fingerprint ==
        file.of("POST", path, R"({"recipient_id":1,"ride_id":2,"kind":" arrived ","x":1})")
            .fingerprint);
  CHECK(file.policy(2).terms.window == std::chrono::seconds(300));
  CHECK(file.policy(2).on_duplicate->body == R"({"status":"suppressed","reason":"duplicate"})");
}

TEST_CASE("alert-receiver: an alert is its name, service, status and start") {
  const Example file("alert-receiver.yaml");
  const Outcome first =
      file.of("POST", "/alerts", R"({"name":"Disk","service":"db","starts_at":"t","text":"95%"})");
  CHECK(first.policy == "alerts");
  CHECK(first.payload.empty());
  CHECK(first.fingerprint ==
        file.of("POST", "/alerts",
                R"({"name":"Disk","service":"DB","status":"Firing","starts_at":"t","text":"96%"})")
            .fingerprint);
  CHECK(first.fingerprint !=
        file.of("POST", "/alerts",
                R"({"name":"Disk","service":"db","status":"resolved","starts_at":"t"})")
            .fingerprint);
  CHECK(file.policy(0).terms.lease == std::chrono::seconds(30));
  CHECK(file.policy(0).on_duplicate->status == 200);
}

TEST_CASE("broker-push: a message is its subscription and id, and duplicates get 2xx") {
  const Example file("broker-push.yaml");
  const Outcome first =
      file.of("POST", "/push/invoices",
              R"({"subscription":"s","message":{"messageId":"1","data":"x"},"deliveryAttempt":1})");
  CHECK(first.policy == "broker-push");
  CHECK(first.payload.empty());
  CHECK(first.fingerprint ==
        file.of("POST", "/push/invoices",
                R"({"subscription":"s","message":{"messageId":"1"},"deliveryAttempt":2})")
            .fingerprint);
  CHECK(file.of("POST", "/push/invoices", R"({"subscription":"s"})").missing ==
        "body: /message/messageId");
  CHECK(file.policy(0).on_duplicate->status == 204);
}

}  // namespace
}  // namespace onceproxy::config
