#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "config/presets.hpp"
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
  std::string entity;
  std::string entity_key;
  std::optional<store::Sequence> sequence;
  store::Terms terms;
  std::uint32_t limit = 0;
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
    const auto* policy = set_.choose(set_.candidates(request), request, document).covering;
    if (policy == nullptr) return {};
    const auto operation = policies::select_operation(*policy, request, document);
    Outcome out;
    out.policy = policy->name;
    if (!operation) {
      out.missing = operation.error().detail;
      return out;
    }
    out.fingerprint = operation->fingerprint.hex();
    if (operation->payload) out.payload = operation->payload->hex();
    if (operation->entity) {
      out.entity = operation->entity->id;
      out.entity_key = operation->entity->key.hex();
      out.sequence = operation->entity->sequence;
    }
    out.terms = operation->policy->terms;
    if (operation->policy->rate_limit) out.limit = operation->policy->rate_limit->limit;
    return out;
  }

  const policies::Policy& policy(std::size_t i) const { return set_.policies().at(i); }

 private:
  policies::PolicySet set_;
};

TEST_CASE("Every example listens and stores where the variables say") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(EXAMPLES_DIR)) {
    ++count;
    const std::string name = entry.path().filename().string();
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
                                        {"ONCEPROXY_DATABASE", "postgresql://db/x"},
                                        {"ONCEPROXY_ADMIN", "unix:/tmp/admin"},
                                        {"ONCEPROXY_TELEMETRY", "[::1]:0"}});
    CHECK(set.listen[0].text() == "127.0.0.1:0");
    CHECK(set.upstream.address.text() == "unix:/tmp/up");
    if (name == "postgres.yaml") {
      REQUIRE(set.postgres);
      CHECK(set.postgres->url == "postgresql://db/x");
    } else {
      CHECK(set.store.path == "/tmp/data");
    }
    CHECK(set.admin->text() == "unix:/tmp/admin");
    CHECK(set.telemetry->text() == "[::1]:0");
  }
  CHECK(count >= 13);
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

TEST_CASE("ride-dispatch: dispatches and declines of a ride meet in one entity") {
  const Example file("ride-dispatch.yaml");
  const Outcome dispatch =
      file.of("POST", "/v1/rides/r1/dispatch", R"({"driver_id":"d","sequence":7})");
  const Outcome decline = file.of("POST", "/v1/rides/r1/decline", R"({"declined_by":"Rider"})");
  CHECK(decline.policy == "decline");
  CHECK(dispatch.entity == "r1");
  CHECK(dispatch.sequence == 7);
  CHECK(decline.entity_key == dispatch.entity_key);
  CHECK(!decline.sequence);
  CHECK(decline.fingerprint !=
        file.of("POST", "/v1/rides/r1/decline", R"({"declined_by":"driver"})").fingerprint);
  CHECK(file.policy(0).entity->unless_closed);
  CHECK(file.policy(0).entity->wait == std::chrono::seconds(5));
  CHECK(file.policy(1).entity->unless_closed);
  CHECK(file.policy(1).entity->closes == std::chrono::hours(24));
  CHECK(file.policy(1).in_flight.action == policies::InFlightRule::Action::wait);
}

TEST_CASE("ride-dispatch: a position is the same to six decimals") {
  const Example file("ride-dispatch.yaml");
  const auto at = [&](const std::string& latitude) {
    return file.of("POST", "/v1/drivers/d1/location",
                   R"({"sequence":17,"longitude":13.4,"latitude":)" + latitude + "}");
  };
  CHECK(at("52.5200061").policy == "location");
  CHECK(at("52.5200061").fingerprint == at("52.52000649").fingerprint);
  CHECK(at("52.520006").fingerprint != at("52.520007").fingerprint);
  CHECK(at("52.52").entity == "d1");
  CHECK(at("52.52").sequence == 17);
  CHECK(file.policy(2).on_missing == policies::OnMissing::pass);
  REQUIRE(file.policy(2).on_duplicate);
  CHECK(file.policy(2).on_duplicate->status == 204);
}

TEST_CASE("ride-dispatch: a push is remembered for 300 seconds") {
  const Example file("ride-dispatch.yaml");
  const std::string path = "/v1/notifications/push";
  const Outcome first = file.of("POST", path, R"({"recipient_id":1,"ride_id":2,"kind":"Arrived"})");
  CHECK(first.policy == "push");
  CHECK(first.fingerprint ==
        file.of("POST", path, R"({"recipient_id":1,"ride_id":2,"kind":" arrived ","x":1})")
            .fingerprint);
  CHECK(file.policy(3).terms.window == std::chrono::seconds(300));
  CHECK(file.policy(3).on_duplicate->body == R"({"status":"suppressed","reason":"duplicate"})");
}

TEST_CASE("alert-receiver: an alert is its fingerprint, service, severity and status") {
  const Example file("alert-receiver.yaml");
  const auto of = [&](const std::string& body) { return file.of("POST", "/alerts", body); };
  const Outcome first = of(R"({"fingerprint":"f1","service":"db","text":"95%"})");
  CHECK(first.policy == "alerts");
  CHECK(first.payload.empty());
  CHECK(first.fingerprint ==
        of(R"({"fingerprint":"f1","service":"DB","severity":"Warning","status":"Firing"})")
            .fingerprint);
  CHECK(first.fingerprint !=
        of(R"({"fingerprint":"f1","service":"db","severity":"critical"})").fingerprint);
  CHECK(first.fingerprint !=
        of(R"({"fingerprint":"f1","service":"db","status":"resolved"})").fingerprint);
  CHECK(of(R"({"name":"Disk","service":"db"})").fingerprint ==
        of(R"({"name":" Disk ","service":"db","labels":[]})").fingerprint);
  CHECK(of(R"({"service":"db"})").missing == "body: /fingerprint, otherwise: {body: /name}");
  CHECK(file.policy(0).on_duplicate->status == 200);
}

TEST_CASE("alert-receiver: severity decides on lease, window and how many") {
  using namespace std::chrono_literals;
  const Example file("alert-receiver.yaml");
  const auto of = [&](const std::string& severity) {
    return file.of("POST", "/alerts", R"({"name":"Disk","severity":")" + severity + "\"}");
  };
  const Outcome warning = of("warning");
  CHECK(warning.terms.lease == 30s);
  CHECK(warning.terms.window == 1h);
  CHECK(warning.limit == 20);
  const Outcome critical = of("Critical");
  CHECK(critical.terms.lease == 10s);
  CHECK(critical.terms.window == 5min);
  CHECK(critical.limit == 60);
  const Outcome info = of("info");
  CHECK(info.terms.lease == 30s);
  CHECK(info.terms.window == 24h);
  CHECK(info.limit == 5);
}

TEST_CASE("notification-dispatch: one recipient's notifications take turns and are counted") {
  const Example file("notification-dispatch.yaml");
  const auto of = [&](const std::string& more) {
    return file.of("POST", "/v1/notifications",
                   R"({"recipient_id":7,"template":"Delayed","subject_id":"p1")" + more + "}");
  };
  const Outcome first = of("");
  CHECK(first.policy == "notifications");
  CHECK(first.entity == "7");
  CHECK(first.limit == 10);
  CHECK(first.fingerprint == of(R"(,"channel":"PUSH","text":"x")").fingerprint);
  CHECK(first.fingerprint != of(R"(,"channel":"mail")").fingerprint);
  const Outcome urgent = of(R"(,"priority":"urgent")");
  CHECK(urgent.fingerprint == first.fingerprint);
  CHECK(urgent.limit == 30);
  CHECK(urgent.terms.unknown == store::OnUnknown::retry);
  CHECK(first.terms.unknown == store::OnUnknown::hold);
}

TEST_CASE("single-file-dispatch: the service has one request at a time") {
  const Settings settings = example("single-file-dispatch.yaml");
  CHECK(settings.upstream.concurrency_max == 1);
  // Who waits for a turn of the upstream's must not be given up by who waits for the answer.
  CHECK(settings.policies.at(0).in_flight.timeout > settings.upstream.connect_timeout);
  const Example file("single-file-dispatch.yaml");
  const Outcome first = file.of("POST", "/dispatch", R"({"job_id":1,"car":2})");
  const Outcome other = file.of("POST", "/dispatch", R"({"job_id":1,"car":3})");
  CHECK(first.fingerprint == other.fingerprint);
  CHECK(first.payload != other.payload);
}

TEST_CASE("Each preset has an example that is named after it, or a policy in webhooks.yaml") {
  const Settings webhooks = example("webhooks.yaml");
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const auto shown = std::ranges::find(webhooks.policies, name, &policies::Policy::name);
    const bool among_others = shown != webhooks.policies.end();
    const Settings alone = among_others ? Settings() : example("preset-" + name + ".yaml");
    REQUIRE((among_others || alone.policies.size() == 1));
    const policies::Policy& policy = among_others ? *shown : alone.policies[0];
    CHECK(policy.name == name);
    CHECK(policy.match.has_path);
    CHECK(policy.in_flight.action == policies::InFlightRule::Action::wait);
  }
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
