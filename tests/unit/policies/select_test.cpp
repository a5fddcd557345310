#include "policies/select.hpp"

#include <catch2/catch.hpp>

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
  const auto bytes = select(policy, order("k", "\xef\xbb\xbf{\"a\":1}"));
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
  CHECK(fields[0] ==
        std::pair(std::string("selector: Idempotency-Key"), std::optional<std::string>("k1")));
  CHECK(fields[1].second == "1");
  CHECK_FALSE(fields[2].second);
}
