#include "config/listener_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

policies::DeliveryRules rules(const std::string& lines) {
  const auto policy = loaded_policy("delivery: " + lines);
  REQUIRE(policy.delivery);
  return *policy.delivery;
}

Texts wrong(const std::string& lines) {
  return policy_problems("delivery: " + lines);
}

const std::string one = "{name: a, address: \"127.0.0.1:9000\"}";

TEST_CASE("a listener has defaults for all but its name and address") {
  const auto listeners = rules("{listeners: [" + one + "]}").listeners;
  REQUIRE(listeners->size() == 1);
  const policies::Listener& listener = listeners->front();
  CHECK(listener.name == "a");
  CHECK(listener.address.host == "127.0.0.1");
  CHECK(listener.address.port == 9000);
  CHECK(listener.path.empty());
  CHECK(listener.timeout == 10s);
  CHECK(listener.attempts == 8);
  CHECK(listener.backoff == policies::Backoff());
  CHECK(listener.concurrency_max == 16);
  CHECK(!listener.rate);
  CHECK(!listener.tls);
  CHECK(loaded_policy("").delivery == nullptr);
}

TEST_CASE("a listener is read as it is written") {
  const auto delivery = rules(
      "{listeners: [{name: GridBalancing, address: \"unix:/run/grid\", path: \"/events?v=1\", "
      "headers: {X-Key: abc, Authorization: {header: Authorization}}, timeout: 2s, attempts: 3, "
      "backoff: {initial: 10ms, max: 1m, jitter: 0.5}, max_concurrency: 4, "
      "rate: {limit: 100, per: 1s}, tls: {ca: /ca.pem, server_name: grid.example}}]}");
  const policies::Listener& listener = delivery.listeners->at(0);
  CHECK(listener.name == "GridBalancing");
  CHECK(listener.address.unix_path == "/run/grid");
  CHECK(listener.path == "/events?v=1");
  REQUIRE(listener.headers.size() == 2);
  CHECK(listener.headers[0] == policies::ListenerField{"X-Key", "abc", false});
  CHECK(listener.headers[1] == policies::ListenerField{"Authorization", "Authorization", true});
  CHECK(listener.timeout == 2s);
  CHECK(listener.attempts == 3);
  CHECK(listener.backoff == policies::Backoff{10ms, 1min, 0.5});
  CHECK(listener.concurrency_max == 4);
  CHECK(listener.rate == policies::ListenerRate{100, 1s});
  CHECK(listener.tls == policies::ListenerTls{"/ca.pem", "grid.example", "", ""});
}

TEST_CASE("the name that a listener's certificate is for is its host, or is given") {
  const auto tls_of = [](const std::string& lines) {
    return rules("{listeners: [{name: a, " + lines + "}]}").listeners->at(0).tls;
  };
  CHECK(tls_of("address: \"b.example:443\", tls: {}") ==
        policies::ListenerTls{"system", "b.example", "", ""});
  CHECK(tls_of("address: \"unix:/run/b\", tls: {server_name: b.example}") ==
        policies::ListenerTls{"system", "b.example", "", ""});
  CHECK(wrong("{listeners: [{name: a, address: \"unix:/run/b\", tls: {}}]}") ==
        Texts{"delivery.listeners[0].tls: `server_name` is missing: a unix socket has no name that "
              "a certificate could be for"});
}

TEST_CASE("what cannot be meant of a listener is refused") {
  const auto of_listener = [](const std::string& more) {
    return wrong("{listeners: [{name: a, address: \"127.0.0.1:1\", " + more + "}]}");
  };
  CHECK(wrong("{listeners: [{name: a}]}") == Texts{"delivery.listeners[0]: `address` is missing"});
  CHECK(wrong("{listeners: [{name: \"a b\", address: \"h:1\"}]}").size() == 1);
  CHECK(wrong("{listeners: [{name: upstream, address: \"h:1\"}]}").size() == 1);
  CHECK(wrong("{listeners: [" + one + ", " + one + "]}") ==
        Texts{"delivery.listeners[1].name: the name is taken by the listener before it, [0]"});
  CHECK(of_listener("path: events").size() == 1);
  CHECK(of_listener("headers: {Host: a}") ==
        Texts{"delivery.listeners[0].headers.Host: \"Host\" is written by onceproxy itself; leave "
              "it out"});
  CHECK(of_listener("headers: {webhook-id: a}").size() == 1);
  CHECK(of_listener("headers: {content-length: 1}").size() == 1);
  CHECK(of_listener("headers: {X: {body: /a}}").size() >= 1);
  CHECK(of_listener("headers: {X-A: 1, x-a: 2}").size() == 1);
  CHECK(of_listener("backoff: {initial: 2s, max: 1s}") ==
        Texts{"delivery.listeners[0].backoff.max: max is below initial"});
  CHECK(of_listener("backoff: {jitter: 2}").size() == 1);
  CHECK(of_listener("attempts: 0").size() == 1);
  CHECK(of_listener("max_concurrency: 0").size() == 1);
  CHECK(of_listener("rate: {per: 1s}").size() == 1);
  CHECK(of_listener("tls: {certificate: /c.pem}") ==
        Texts{"delivery.listeners[0].tls: `certificate` needs its `key`"});
  CHECK(of_listener("tls: true").size() == 1);
}

TEST_CASE("a file of listeners is the same list, with the same messages") {
  const auto good =
      load_listeners("- " + one + "\n- {name: b, address: \"h:2\"}\n", "l.yaml", environment_of());
  REQUIRE(good);
  CHECK(good->size() == 2);
  CHECK(good->at(1).name == "b");
  const auto bad =
      load_listeners("- {name: a}\n- {name: a, address: x}\n", "l.yaml", environment_of());
  REQUIRE_FALSE(bad);
  CHECK(bad.error().size() == 3);
  CHECK(bad.error()[0].file == "l.yaml");
  CHECK(bad.error()[0].line == 1);
  CHECK(bad.error()[0].message == "`address` is missing");
  CHECK_FALSE(load_listeners("[]", "l.yaml", environment_of()));
  CHECK_FALSE(load_listeners("", "l.yaml", environment_of()));
  CHECK_FALSE(load_listeners("listeners: []", "l.yaml", environment_of()));
}

}  // namespace
}  // namespace onceproxy::config
