// Requests that are stored for their listeners instead of being forwarded.
#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "gate_fixture.hpp"
#include "proxy/gate/event_head.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using policies::Acknowledge;
using policies::DeliveryRules;
using policies::Listener;
using policies::ListenerList;
using store::Unavailable;
using Texts = std::vector<std::string>;

Listener listener(std::string name) {
  Listener out;
  out.name = std::move(name);
  return out;
}

struct FakeAcknowledger final : Acknowledger {
  std::optional<store::StoredAnswer> answer;
  std::vector<store::Fingerprint> asked;
  std::vector<std::uint32_t> counts;
  bool wait(const store::Fingerprint& fingerprint, const Acknowledge& how,
            store::Call<Acknowledged>& call) override {
    asked.push_back(fingerprint);
    counts.push_back(how.count);
    call.result.emplace(Acknowledged{answer});
    return true;
  }
};

struct EventFixture : testing::Fixture {
  std::shared_ptr<DeliveryRules> delivery = std::make_shared<DeliveryRules>();
  FakeAcknowledger acknowledger;
  Gate waiting_gate{store, loop, clock, worker, &acknowledger};

  EventFixture() {
    delivery->listeners =
        std::make_shared<const ListenerList>(ListenerList{listener("billing"), listener("grid")});
    policy.delivery = delivery;
    request.target = "/rides?x=1";
    request.body = "{\"ride\":1}";
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Authorization", "Bearer secret");
  }
  Accepted& accepted() {
    REQUIRE(admission);
    REQUIRE(std::holds_alternative<Accepted>(admission->verdict));
    return std::get<Accepted>(admission->verdict);
  }
};

TEST_CASE_METHOD(EventFixture, "a request for listeners is stored and acknowledged") {
  store.at_once = GENERATE(true, false);
  admit(store::Accepted{7});
  CHECK(accepted().event == 7);
  const std::string event = admission->fingerprint->hex();
  CHECK(accepted().answer.status == 202);
  CHECK(accepted().answer.body == "{\"status\":\"accepted\",\"event\":\"" + event +
                                      "\",\"deliveries\":\"/deliveries?event=" + event + "\"}");
  CHECK(accepted().answer.head ==
        "Content-Type: application/json\r\nDate: Fri, 27 Nov 2026 21:00:00 GMT\r\n");
  CHECK(accepted().answer.dated);
  REQUIRE(store.asked.size() == 1);
  const auto& asked = store.asked[0];
  CHECK(asked.listeners == Texts{"billing", "grid"});
  CHECK(asked.method == "POST");
  CHECK(asked.target == "/rides?x=1");
  CHECK(asked.head == "Idempotency-Key: k-1\r\nContent-Type: application/json\r\n");
  CHECK(asked.body == "{\"ride\":1}");
  CHECK(asked.keep_dead);
  CHECK(asked.answer.status == 202);
  CHECK(asked.answer.body == accepted().answer.body);
  CHECK(count("onceproxy_reservations_active") == 0);
}

TEST_CASE_METHOD(EventFixture, "its duplicate gets the same acknowledgement") {
  admit(store::Accepted{7});
  const Answer first = accepted().answer;
  admit(store::Completed{store.asked[0].answer, clock.now()});
  CHECK(reply().decision == Decision::replayed);
  CHECK(reply().answer.status == 202);
  CHECK(reply().answer.body == first.body);
  CHECK(reply().answer.head == first.head + "Idempotent-Replayed: true\r\n");
}

TEST_CASE_METHOD(EventFixture, "what the store refuses is refused as for any policy") {
  admit(store::Closed{});
  CHECK(reply().decision == Decision::closed);
  admit(store::Mismatch{});
  CHECK(reply().decision == Decision::mismatch);
  admit(Unavailable{Unavailable::Reason::events});
  CHECK(reply().decision == Decision::store_error);
  CHECK(reply().answer.status == 503);
  CHECK(reply().answer.body.find("delivery.max_bytes") != std::string::npos);
}

TEST_CASE_METHOD(EventFixture, "what cannot be stored is never forwarded instead") {
  policy.on_store_error = policies::OnStoreError::forward;
  admit(Unavailable{Unavailable::Reason::failed});
  CHECK(reply().decision == Decision::store_error);
}

TEST_CASE_METHOD(EventFixture, "a front without the body is refused before the store is asked") {
  body_is_given = false;
  admit();
  CHECK(reply().decision == Decision::store_error);
  CHECK(store.asked.empty());
}

TEST_CASE_METHOD(EventFixture, "listeners that are not known yet are waited for by nobody") {
  delivery->listeners = std::make_shared<const ListenerList>();
  delivery->listeners_file = "/etc/listeners.yaml";
  admit();
  CHECK(reply().decision == Decision::store_error);
  CHECK(store.asked.empty());
  rules->keep_listeners(rule(), std::make_shared<const ListenerList>(ListenerList{listener("a")}));
  admit(store::Accepted{1});
  CHECK(store.asked.at(0).listeners == Texts{"a"});
}

TEST_CASE_METHOD(EventFixture, "a policy that only watches forwards") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  admit();
  CHECK(std::holds_alternative<Forward>(admission->verdict));
  CHECK(store.asked.at(0).listeners.empty());
  CHECK(admission->shadow == Decision::forwarded);
}

TEST_CASE_METHOD(EventFixture, "listeners are waited for where the policy says so") {
  delivery->acknowledge = {Acknowledge::When::first, 2, 1s};
  asked_gate = &waiting_gate;
  acknowledger.answer = store::StoredAnswer{202, "Date: x\r\n", "both", true};
  admit(store::Accepted{7});
  CHECK(accepted().answer.body == "both");
  CHECK(accepted().answer.dated);
  CHECK(acknowledger.asked == std::vector{*admission->fingerprint});
  CHECK(acknowledger.counts == std::vector<std::uint32_t>{2});
  // A duplicate that comes meanwhile waits too.
  admit(store::Completed{store.asked[0].answer, clock.now()});
  CHECK(reply().answer.body == "both");
  acknowledger.answer.reset();
  admit(store::Accepted{8});
  CHECK(accepted().answer.body == store.asked[0].answer.body);
  CHECK(acknowledger.asked.size() == 3);
}

TEST_CASE_METHOD(EventFixture, "nobody waits where the event need only be stored") {
  asked_gate = &waiting_gate;
  admit(store::Accepted{7});
  CHECK(accepted().answer.status == 202);
  CHECK(acknowledger.asked.empty());
}

TEST_CASE_METHOD(EventFixture, "the listeners of a file go on with the rules that follow") {
  delivery->listeners_file = "/etc/listeners.yaml";
  const auto listeners = std::make_shared<const ListenerList>(ListenerList{listener("a")});
  rules = std::make_unique<Rules>(std::vector{policy}, metrics);
  rules->keep_listeners(rule(), listeners);
  const Rules next({policy}, metrics, rules.get());
  CHECK(next.listeners(next.policies().policies()[0]) == listeners);
  auto other = std::make_shared<DeliveryRules>(*delivery);
  other->listeners_file = "/etc/others.yaml";
  policy.delivery = other;
  const Rules with_others({policy}, metrics, rules.get());
  CHECK(with_others.listeners(with_others.policies().policies()[0])->size() == 2);
  policy.delivery = nullptr;
  const Rules without({policy}, metrics, rules.get());
  CHECK(without.listeners(without.policies().policies()[0]) == nullptr);
}

TEST_CASE("fields of the connection, and secrets that nobody names, are not stored") {
  const policies::Field fields[] = {
      {"Host", "a"},           {"Connection", "close, x-hop"},   {"X-Hop", "1"},
      {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}, {"Expect", "100-continue"},
      {"Cookie", "c"},         {"Authorization", "Bearer s"},    {"Onceproxy-Fence", "1"},
      {"X-Kept", "1"},         {"Proxy-Authorization", "p"},     {"TE", "trailers"},
  };
  Listener named = listener("a");
  CHECK(event_head(fields, {named}, false) == "X-Kept: 1\r\n");
  named.headers = {{"Authorization", "authorization", true}, {"Cookie", "fixed", false}};
  CHECK(event_head(fields, {listener("b"), named}, false) ==
        "Authorization: Bearer s\r\nX-Kept: 1\r\n");
}

TEST_CASE("the service itself gets what it would have got from the client") {
  const policies::Field fields[] = {
      {"Host", "a"}, {"Cookie", "c"}, {"Authorization", "Bearer s"}, {"Expect", "100-continue"}};
  CHECK(event_head(fields, {listener("upstream")}, true) ==
        "Host: a\r\nCookie: c\r\nAuthorization: Bearer s\r\n");
}

}  // namespace
}  // namespace onceproxy::gate
