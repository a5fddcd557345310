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

TEST_CASE("the upstream may be the only listener") {
  const auto delivery =
      rules("{to: upstream, attempts: 3, backoff: {initial: 2s, max: 4s, jitter: 0}}");
  CHECK(delivery.to_upstream);
  REQUIRE(delivery.listeners->size() == 1);
  CHECK(delivery.listeners->at(0).name == "upstream");
  CHECK(delivery.listeners->at(0).attempts == 3);
  CHECK(delivery.listeners->at(0).backoff == policies::Backoff{2s, 4s, 0});
  CHECK(rules("{to: upstream}").listeners->at(0).backoff == policies::Backoff());
  CHECK(rules("{listeners_file: /etc/l.yaml}").listeners_file == "/etc/l.yaml");
  CHECK(rules("{listeners_file: /etc/l.yaml}").listeners->empty());
  CHECK(rules("{listeners: [" + one + "], acknowledge: all}").acknowledge.when ==
        Acknowledge::When::all);
}

TEST_CASE("what a policy says of all its deliveries is read as it is written") {
  const auto delivery = rules("{listeners: [" + one +
                              "], acknowledge: {first: 1}, acknowledge_timeout: 3s, "
                              "removed_listeners: finish, dead_letter: false, "
                              "signing: {key_file: /etc/key}}");
  CHECK(delivery.acknowledge.when == Acknowledge::When::first);
  CHECK(delivery.acknowledge.count == 1);
  CHECK(delivery.acknowledge.timeout == 3s);
  CHECK(delivery.removed_listeners == policies::RemovedListeners::finish);
  CHECK_FALSE(delivery.dead_letter);
  CHECK(delivery.signing_key_file == "/etc/key");
  CHECK_FALSE(delivery.to_upstream);
  CHECK(rules("{listeners: [" + one + "]}").removed_listeners ==
        policies::RemovedListeners::remove);
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
  CHECK(wrong("{listeners: [" + one + "], backoff: {}}") ==
        Texts{"delivery.backoff: belongs to `to: upstream`; a listener has `backoff` of its own"});
  CHECK(wrong("{to: upstream, removed_listeners: finish}") ==
        Texts{"delivery.removed_listeners: belongs to listeners: the upstream is never removed"});
  CHECK(wrong("{to: elsewhere}").size() == 1);
}

TEST_CASE("an acknowledgement that never comes, or a time that says nothing, is refused") {
  CHECK(wrong("{listeners: [" + one + "], acknowledge: {first: 2}}") ==
        Texts{"delivery.acknowledge: there are only 1 listeners, so that many would never be "
              "notified"});
  CHECK(wrong("{listeners: [" + one + "], acknowledge_timeout: 1s}") ==
        Texts{"delivery.acknowledge_timeout: has an effect only with acknowledge: all, or first; "
              "leave it out"});
  CHECK(wrong("{listeners: [" + one + "], acknowledge: some}").size() == 1);
  CHECK(
      policy_problems("delivery: {to: upstream}\non_store_error: forward") ==
      Texts{"on_store_error: forward cannot be combined with `delivery`, because an event that is "
            "not stored cannot be delivered; leave it out"});
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

}  // namespace
}  // namespace onceproxy::config
