#include "config/delivery_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Acknowledge;

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
  CHECK(loaded_policy("").delivery == nullptr);
}

TEST_CASE("a listener is read as it is written") {
  const auto delivery = rules(
      "{listeners: [{name: GridBalancing, address: \"unix:/run/grid\", path: \"/events?v=1\", "
      "headers: {X-Key: abc, Authorization: {header: Authorization}}, timeout: 2s, attempts: 3, "
      "backoff: {initial: 10ms, max: 1m, jitter: 0.5}, max_concurrency: 4, "
      "rate: {limit: 100, per: 1s}}], acknowledge: {first: 1}, acknowledge_timeout: 3s, "
      "dead_letter: false, signing: {key_file: /etc/key}}");
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
  CHECK(delivery.acknowledge.when == Acknowledge::When::first);
  CHECK(delivery.acknowledge.count == 1);
  CHECK(delivery.acknowledge.timeout == 3s);
  CHECK_FALSE(delivery.dead_letter);
  CHECK(delivery.signing_key_file == "/etc/key");
  CHECK_FALSE(delivery.to_upstream);
}

TEST_CASE("the upstream may be the only listener") {
  const auto delivery = rules("{to: upstream, attempts: 3}");
  CHECK(delivery.to_upstream);
  REQUIRE(delivery.listeners->size() == 1);
  CHECK(delivery.listeners->at(0).name == "upstream");
  CHECK(delivery.listeners->at(0).attempts == 3);
  CHECK(rules("{listeners_file: /etc/l.yaml}").listeners_file == "/etc/l.yaml");
  CHECK(rules("{listeners_file: /etc/l.yaml}").listeners->empty());
  CHECK(rules("{listeners: [" + one + "], acknowledge: all}").acknowledge.when ==
        Acknowledge::When::all);
}

TEST_CASE("where events go is said once") {
  CHECK(wrong("{}") == Texts{"delivery: `listeners` is missing: write them, or listeners_file, or "
                             "to: upstream"});
  CHECK(wrong("{listeners: [" + one + "], to: upstream}") ==
        Texts{"delivery.to: only one of `listeners`, `listeners_file` and `to` says where events "
              "go"});
  CHECK(wrong("{listeners: []}").size() == 1);
  CHECK(wrong("{listeners: [" + one + "], attempts: 2}") ==
        Texts{"delivery.attempts: belongs to `to: upstream`; a listener has `attempts` of its "
              "own"});
  CHECK(wrong("{to: elsewhere}").size() == 1);
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
}

TEST_CASE("an acknowledgement that never comes, or a time that says nothing, is refused") {
  CHECK(wrong("{listeners: [" + one + "], acknowledge: {first: 2}}") ==
        Texts{"delivery.acknowledge: there are only 1 listeners, so that many would never be "
              "notified"});
  CHECK(wrong("{listeners: [" + one + "], acknowledge_timeout: 1s}") ==
        Texts{"delivery.acknowledge_timeout: has an effect only with acknowledge: all, or first; "
              "leave it out"});
  CHECK(wrong("{listeners: [" + one + "], acknowledge: some}").size() == 1);
  CHECK(policy_problems("delivery: {to: upstream}\non_store_error: forward") ==
        Texts{"on_store_error: forward cannot be with `delivery`: what is not stored is delivered "
              "to nobody; leave it out"});
}

std::string two_policies(const std::string& first, const std::string& second) {
  const auto policy = [](const std::string& name, const std::string& listener) {
    return "- {name: " + name + ", match: {path: /" + name +
           "}, fingerprint: [{body: /id}], scope: shared, delivery: {listeners: [{name: a, " +
           listener + "}]}}\n";
  };
  return "policies:\n" + policy("p", first) + policy("q", second);
}

TEST_CASE("one name is one listener in all policies") {
  CHECK(problems(two_policies("address: \"h:1\", path: /p", "address: \"h:1\", path: /q")) ==
        Texts{});
  CHECK(problems(two_policies("address: \"h:1\"", "address: \"h:2\"")) ==
        Texts{"policies[1].delivery.listeners[0].name: `a` is another one in policies[0] (p); one "
              "name is one listener, with the same address, max_concurrency and rate"});
  CHECK(problems(two_policies("address: \"h:1\"", "address: \"h:1\", max_concurrency: 1")).size() ==
        1);
}

TEST_CASE("events may be kept in either store") {
  const Settings settings = loaded(
      "delivery: {max_bytes: 2MiB}\ndead_letters: {retention: 3h}\n"
      "store: {postgres: {url: \"postgresql://u@h/d\"}}\n" +
      with_policy("delivery: {to: upstream}"));
  CHECK(settings.postgres->ledger.bytes_max == 2u << 20);
  CHECK(settings.postgres->ledger.dead_retention == 3h);
}

TEST_CASE("what events may take and for how long the dead are kept are the store's options") {
  const Settings settings = loaded(
      "delivery: {max_bytes: 2MiB}\ndead_letters: {retention: 3h}\n"
      "store: {rocksdb: {path: /tmp/x}}\n");
  CHECK(settings.store.ledger.bytes_max == 2u << 20);
  CHECK(settings.store.ledger.dead_retention == 3h);
  CHECK(loaded("").store.ledger.bytes_max == store::LedgerOptions().bytes_max);
  CHECK(loaded("").store.ledger.dead_retention == 24h * 14);
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
