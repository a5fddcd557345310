#include "policies/select.hpp"

#include <catch2/catch.hpp>

#include "policies/policy_set.hpp"
#include "request.hpp"

using namespace onceproxy;
using namespace onceproxy::policies;
using test::Request;
using test::selector;

namespace {

Policy keyed() {
  Policy policy;
  policy.name = policy.name_space = "orders";
  policy.fingerprint = {selector(Source::client_key, "Idempotency-Key")};
  policy.payload = {selector(Source::method), selector(Source::target), selector(Source::content)};
  return policy;
}

tl::expected<Operation, SelectError> select(const Policy& policy, Request request) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  return select_operation(policy, view, body);
}

Request order(std::string key, std::string body) {
  return {.method = "POST",
          .target = "/orders",
          .headers = {{"Idempotency-Key", key}},
          .body = body,
          .fields = {},
          .scratch = {}};
}

}  // namespace

TEST_CASE("one operation has one fingerprint and one payload, however it is spelt") {
  const auto first = select(keyed(), order("k1", R"({"a":1.0,"b":"x"})"));
  const auto again = select(keyed(), order("\"k1\"", R"({ "b":"\u0078", "a": 1 })"));
  REQUIRE((first && again));
  CHECK(first->fingerprint == again->fingerprint);
  REQUIRE((first->payload && again->payload));
  CHECK(*first->payload == *again->payload);
}

TEST_CASE("another key is another fingerprint, another body another payload") {
  const auto first = select(keyed(), order("k1", R"({"a":9007199254740993})")).value();
  CHECK(select(keyed(), order("k2", R"({"a":9007199254740993})"))->fingerprint !=
        first.fingerprint);
  const auto other = select(keyed(), order("k1", R"({"a":9007199254740992})")).value();
  CHECK(other.fingerprint == first.fingerprint);
  CHECK(other.payload != first.payload);
}

TEST_CASE("the digests are those of the grammar in the README, version 1") {
  // Worked out from that grammar by hand and sha256sum: a change here makes every
  // stored key a new one.
  const auto operation = select(keyed(), order("k1", R"({"a":1})")).value();
  CHECK(operation.fingerprint.hex() ==
        "189ceb19cfeafb3ceeccb8e124ea24d186ba43fe076999c304dbc07ac210e744");
  CHECK(operation.payload->hex() ==
        "19d0c747c395ab5b0d84cd82ef064a62a6076856fb832b1741d0faa5fd2b949f");
}

TEST_CASE("a fingerprint keeps apart what its fields keep apart") {
  Policy policy;
  policy.name_space = "n";
  policy.fingerprint = {selector(Source::query, "a"), selector(Source::query, "b")};
  std::vector<store::Fingerprint> all;
  const auto add = [&](const Policy& with, std::string target) {
    Request request;
    request.target = std::move(target);
    all.push_back(select(with, request).value().fingerprint);
  };
  add(policy, "/?a=1&b=2");
  add(policy, "/?a=12&b=");
  add(policy, "/?a=&b=12");
  add(policy, "/?a=2&b=1");
  add(policy, "/?a=1&b=2&b=2");
  add(policy, "/?a=1&b=%5B%222%22,%222%22%5D");
  Policy other_space = policy;
  other_space.name_space = "m";
  add(other_space, "/?a=1&b=2");
  Policy scoped = policy;
  scoped.scope = {scoped.fingerprint.front()};
  scoped.fingerprint.erase(scoped.fingerprint.begin());
  add(scoped, "/?a=1&b=2");
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      INFO(i << " and " << j);
      CHECK(all[i] != all[j]);
    }
  }
}

TEST_CASE("policies of one namespace share fingerprints, wherever each finds its fields") {
  Policy by_header;
  by_header.name = "a";
  by_header.name_space = "shared";
  by_header.fingerprint = {selector(Source::header, "x-event")};
  Policy by_body = by_header;
  by_body.name = "b";
  by_body.fingerprint = {selector(Source::body, "/event")};
  Request in_header;
  in_header.headers = {{"X-Event", "e1"}};
  Request in_body;
  in_body.body = R"({"event":"e1"})";
  CHECK(select(by_header, in_header)->fingerprint == select(by_body, in_body)->fingerprint);
}

TEST_CASE("content that is JSON and bytes that spell its canonical form are two payloads") {
  Policy policy = keyed();
  // Both bodies would be the text {"a":1}; one of them is JSON only to a lenient reader.
  const auto json = select(policy, order("k", R"({"a":1})"));
  const auto bytes = select(policy, order("k", "\v{\"a\":1}"));
  REQUIRE((json && bytes));
  CHECK(json->payload != bytes->payload);
}

TEST_CASE("without payload selectors there is no payload digest") {
  Policy policy = keyed();
  policy.payload.clear();
  CHECK_FALSE(select(policy, order("k", "x"))->payload);
}

TEST_CASE("a missing field is named as it was written, the fingerprint's before the scope's") {
  Policy policy = keyed();
  policy.scope = {selector(Source::header, "authorization")};
  Request request = order("k", "");
  auto error = select(policy, request);
  REQUIRE_FALSE(error);
  CHECK(error.error().kind == SelectError::Kind::missing);
  CHECK(error.error().detail == "selector: authorization");

  request.headers.clear();
  CHECK(select(policy, request).error().detail == "selector: Idempotency-Key");

  request.headers = {{"idempotency-key", "not,one"}};
  error = select(policy, request);
  CHECK(error.error().kind == SelectError::Kind::bad_key);
  CHECK(error.error().detail.find("not,one") == std::string::npos);

  policy = keyed();
  policy.payload = {selector(Source::body, "/amount")};
  CHECK(select(policy, order("k", "{}")).error().detail == "selector: /amount");
}

TEST_CASE("selected fields are shown in order, with nothing for what is missing") {
  const Policy policy = keyed();
  Request request = order("\"k1\"", R"({"a":1.0})");
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const std::vector<Selector> selectors{selector(Source::client_key, "Idempotency-Key"),
                                        selector(Source::body, "/a"), selector(Source::body, "/b")};
  const auto fields = selected_fields(selectors, policy, view, body);
  REQUIRE(fields.size() == 3);
  CHECK(fields[0].first == "selector: Idempotency-Key");
  CHECK(fields[0].second == "k1");
  CHECK(fields[1].second == "1");
  CHECK_FALSE(fields[2].second);
}

namespace {

Override override_of(const Policy& base, std::vector<Condition> where, std::uint32_t limit) {
  Policy with = base;
  with.overrides.clear();
  with.rate_limit = RateLimit{limit, std::chrono::hours(1), {}};
  return {std::move(where), std::make_shared<const Policy>(std::move(with))};
}

Condition body_is(std::string pointer, std::string text) {
  return {selector(Source::body, std::move(pointer)), {std::move(text)}, nullptr};
}

Policy limited(std::uint32_t limit, std::chrono::milliseconds per, std::vector<Selector> by) {
  Policy policy = keyed();
  policy.rate_limit = RateLimit{limit, per, std::move(by)};
  return policy;
}

}  // namespace

TEST_CASE("the first override whose conditions all hold is the policy, and names nothing anew") {
  Policy policy = keyed();
  policy.entity.emplace().id = {selector(Source::body, "/ride")};
  policy.overrides = {
      override_of(policy, {body_is("/severity", "critical"), body_is("/site", "a")}, 1),
      override_of(policy, {body_is("/severity", "critical")}, 2), override_of(policy, {}, 3)};
  const auto both = select(policy, order("k", R"({"ride":1,"severity":"critical","site":"a"})"));
  CHECK(both->policy == policy.overrides[0].policy.get());
  const auto one = select(policy, order("k", R"({"ride":1,"severity":"critical","site":"b"})"));
  CHECK(one->policy == policy.overrides[1].policy.get());
  const auto none = select(policy, order("k", R"({"ride":1,"severity":"low"})"));
  CHECK(none->policy == policy.overrides[2].policy.get());
  CHECK(both->fingerprint == none->fingerprint);
  CHECK(both->entity->key == none->entity->key);
  CHECK(both->rate != one->rate);

  policy.overrides.pop_back();
  const auto base = select(policy, order("k", R"({"ride":1,"severity":"low"})"));
  CHECK(base->policy == &policy);
  CHECK_FALSE(base->rate);
}

TEST_CASE("an operation has an entity and a rate where its policy does") {
  Policy policy = keyed();
  auto operation = select(policy, order("k", R"({"ride":1,"n":5})"));
  CHECK(operation->policy == &policy);
  CHECK_FALSE(operation->entity);
  CHECK_FALSE(operation->rate);
  policy.entity.emplace();
  policy.entity->type = "ride";
  policy.entity->id = {selector(Source::body, "/ride")};
  policy.entity->sequence = selector(Source::body, "/n");
  operation = select(policy, order("k", R"({"ride":1,"n":5})"));
  REQUIRE(operation->entity);
  CHECK(operation->entity->key == entity_key("ride", std::vector<std::string>{"1"}));
  CHECK(operation->entity->sequence == 5);
}

TEST_CASE("the keys of rate limits are those of the grammar in the README, version 1") {
  // Worked out as the digests above. A change here gives everybody a full bucket.
  CHECK(select(limited(10, std::chrono::hours(1), {}), order("k1", "{}"))->rate->hex() ==
        "a3bed7eb4f7caf93adaf211073ea19a79df03053df78f224d9832db4f313f47a");
  CHECK(select(limited(10, std::chrono::hours(1), {selector(Source::body, "/n")}),
               order("k1", R"({"n":7})"))
            ->rate->hex() == "06b4255147adeda7bc38a05d7531ef8fd478d575a801903d6a6581dcaf6e328d");
}

TEST_CASE("a rate limit counts by its fields, else by the fingerprint") {
  const auto rate = [](const Policy& policy, std::string key, std::string body) {
    return select(policy, order(std::move(key), std::move(body)))->rate.value();
  };
  const auto hour = std::chrono::hours(1);
  const Policy by_key = limited(10, hour, {});
  CHECK(rate(by_key, "k1", "1") == rate(by_key, "k1", "2"));
  CHECK(rate(by_key, "k1", "1") != rate(by_key, "k2", "1"));
  const Policy by_name = limited(10, hour, {selector(Source::body, "/n")});
  const auto seven = rate(by_name, "k1", R"({"n":7})");
  CHECK(rate(by_name, "k2", R"({"n":7.0})") == seven);
  CHECK(rate(by_name, "k1", R"({"n":"7"})") != seven);
  CHECK(rate(by_name, "k1", R"({"n":8})") != seven);
  // Another limit, another time and another namespace each have buckets of their own.
  CHECK(rate(limited(11, hour, by_name.rate_limit->by), "k1", R"({"n":7})") != seven);
  CHECK(rate(limited(10, 2 * hour, by_name.rate_limit->by), "k1", R"({"n":7})") != seven);
  Policy elsewhere = by_name;
  elsewhere.name_space = "elsewhere";
  CHECK(rate(elsewhere, "k1", R"({"n":7})") != seven);
}

TEST_CASE(
    "missing fields of the entity are named before the rate limit's, both after the payload's") {
  Policy policy = limited(1, std::chrono::hours(1), {selector(Source::body, "/name")});
  policy.entity.emplace().id = {selector(Source::body, "/ride")};
  policy.payload = {selector(Source::body, "/amount")};
  CHECK(select(policy, order("k", "{}")).error().detail == "selector: /amount");
  CHECK(select(policy, order("k", R"({"amount":1})")).error().detail == "selector: /ride");
  CHECK(select(policy, order("k", R"({"amount":1,"ride":1})")).error().detail == "selector: /name");
}

TEST_CASE("HEAD is an operation of its own, whatever the selectors say") {
  Policy policy;
  policy.name = policy.name_space = "reports";
  policy.fingerprint = {selector(Source::query, "id")};
  Request request;
  request.target = "/reports?id=1";
  const auto fingerprint_of = [&](std::string method) {
    request.method = std::move(method);
    return select(policy, request).value().fingerprint;
  };
  CHECK(fingerprint_of("HEAD") != fingerprint_of("GET"));
  CHECK(fingerprint_of("HEAD") == fingerprint_of("HEAD"));
  CHECK(fingerprint_of("POST") == fingerprint_of("GET"));
}

TEST_CASE("a condition that asks an unreadable body leaves the operation unnamed") {
  Policy policy = keyed();
  policy.payload.clear();
  const Condition critical{selector(Source::body, "/severity"), {"critical"}, nullptr};
  const Request broken = order("k1", R"({"severity":"critical",})");
  SECTION("of an override") {
    policy.overrides = {{{critical}, std::make_shared<const Policy>(keyed())}};
  }
  SECTION("of the match") {
    policy.match.where = {critical};
  }
  Request request = broken;
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  CHECK(body_matches(policy.match, view, body) != Truth::no);
  const auto operation = select_operation(policy, view, body);
  REQUIRE_FALSE(operation);
  CHECK(operation.error().kind == SelectError::Kind::unreadable);
  CHECK(operation.error().detail ==
        "The body is not valid JSON: a member has no name in quotes at byte 23.");
}

TEST_CASE("a condition on a text that hides its fields is told as unreadable") {
  Policy policy = keyed();
  Selector type = selector(Source::body, "/text");
  type.json = {"type"};
  policy.match.where = {{type, {"x"}, nullptr}};
  Request request = order("k1", R"({"text":"{\"type\":\"y\",\"type\":\"x\"}"})");
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  CHECK(body_matches(policy.match, view, body) == Truth::unreadable);
  const auto operation = select_operation(policy, view, body);
  REQUIRE_FALSE(operation);
  CHECK(operation.error().kind == SelectError::Kind::unreadable);
  CHECK(operation.error().detail ==
        "The JSON in the text of `selector: /text` is not valid: a member name is repeated at byte "
        "12.");
}

TEST_CASE("an unreadable body concerns nobody who does not ask it") {
  Policy policy = keyed();
  policy.match.where = {{selector(Source::header, "Idempotency-Key"), {"k1"}, nullptr}};
  CHECK(select(policy, order("k1", "{")).has_value());
  policy.payload = {selector(Source::body, "/a")};
  REQUIRE_FALSE(select(policy, order("k1", "{")));
  CHECK(lets_pass(policy, SelectError::Kind::unreadable) == false);
  policy.on_unreadable = OnMissing::pass;
  CHECK(lets_pass(policy, SelectError::Kind::unreadable));
  CHECK_FALSE(lets_pass(policy, SelectError::Kind::missing));
}

TEST_CASE("the operations that end are named as their own policies name them") {
  Policy alerts;
  alerts.name = alerts.name_space = "alerts";
  alerts.scope = {selector(Source::header, "x-account")};
  alerts.fingerprint = {selector(Source::body, "/key"), selector(Source::body, "/action")};
  const auto entry = [](const std::string& action) {
    EndsRule rule;
    rule.fingerprint = {selector(Source::body, "/key"), selector(Source::constant, action)};
    return rule;
  };
  alerts.ends = {entry("trigger"), entry("resolve"), entry("trigger")};
  const auto of = [&](const std::string& body, const std::string& method = "POST") {
    Request request;
    request.method = method;
    request.headers = {{"x-account", "a"}};
    request.body = body;
    const RequestView view = request.view();
    Document document(view, request.body, 1 << 20);
    auto operation = select_operation(alerts, view, document);
    REQUIRE(operation);
    return *std::move(operation);
  };
  const Operation trigger = of(R"({"key":"k","action":"trigger"})");
  const Operation resolve = of(R"({"key":"k","action":"resolve"})");
  CHECK(trigger.ends == std::vector{resolve.fingerprint});
  CHECK(resolve.ends == std::vector{trigger.fingerprint});
  CHECK(of(R"({"key":"k","action":"acknowledge"})").ends ==
        std::vector{trigger.fingerprint, resolve.fingerprint});
  CHECK(of(R"({"key":"k","action":"resolve"})", "HEAD").ends.empty());

  alerts.ends[0].fingerprint[0] = selector(Source::body, "/missing");
  alerts.ends[1].fingerprint[0] = selector(Source::body, "/missing");
  CHECK(resolve.fingerprint == of(R"({"key":"k","action":"resolve"})").fingerprint);
  CHECK(of(R"({"key":"k","action":"resolve"})").ends == std::vector{trigger.fingerprint});
  alerts.ends = {entry("trigger")};
  alerts.ends[0].scope.emplace();
  CHECK(of(R"({"key":"k","action":"resolve"})").ends != std::vector{trigger.fingerprint});
  alerts.ends[0].scope.reset();
  alerts.ends[0].name_space = "others";
  CHECK(of(R"({"key":"k","action":"resolve"})").ends != std::vector{trigger.fingerprint});
}

TEST_CASE("a body that cannot be read for what ends is not passed over") {
  Policy alerts;
  alerts.name = alerts.name_space = "alerts";
  alerts.fingerprint = {selector(Source::header, "x-id")};
  EndsRule rule;
  rule.fingerprint = {selector(Source::body, "/key")};
  alerts.ends = {rule};
  Request request;
  request.headers = {{"x-id", "1"}};
  request.body = "{";
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  const auto operation = select_operation(alerts, view, document);
  REQUIRE_FALSE(operation);
  CHECK(operation.error().kind == SelectError::Kind::unreadable);
}
