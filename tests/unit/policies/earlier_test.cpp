#include "policies/earlier.hpp"

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

Policy by_content() {
  Policy policy = keyed();
  policy.fingerprint = {selector(Source::target), selector(Source::content)};
  policy.payload.clear();
  return policy;
}

Request order(std::string type, std::string body) {
  Request request;
  request.target = "/orders";
  request.headers = {{"Idempotency-Key", "k1"}};
  if (!type.empty()) request.headers.emplace_back("Content-Type", type);
  request.body = std::move(body);
  return request;
}

struct Both {
  Operation now;
  std::optional<store::EarlierDigests> earlier;
};

Both digests(const Policy& policy, Request request) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  Both out{select_operation(policy, view, body).value(), std::nullopt};
  out.earlier = earlier_digests(policy, out.now, view, body);
  return out;
}

const std::string multipart = "multipart/form-data; boundary=X";
const std::string upload =
    "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n";

}  // namespace

TEST_CASE("there are no earlier digests if reading has not changed") {
  for (const char* type : {"", "application/json", "application/cloudevents+json"}) {
    INFO(type);
    CHECK_FALSE(digests(keyed(), order(type, R"({"a":1})")).earlier);
    CHECK_FALSE(digests(keyed(), order(type, "no JSON")).earlier);
    CHECK_FALSE(digests(by_content(), order(type, R"({"a":1})")).earlier);
  }
  CHECK_FALSE(digests(keyed(), order("text/plain", "no JSON")).earlier);
  Policy policy = keyed();
  policy.payload.clear();
  CHECK_FALSE(digests(policy, order("text/plain", "1.10")).earlier);
}

TEST_CASE("the earlier digests are those that version 1 stored") {
  // Worked out by the program of that version.
  struct Case {
    const char* type;
    std::string body;
    const char* fingerprint;
    const char* payload;
  };
  const Case cases[] = {
      {"text/plain", "1.10", "15f9a61359c47c04cac0dd5ac2ad3e9334b18ead2ca585f0fd9e6b22ffb7ce71",
       "e134d088dedab6765365e8b274c6ef80c918f6c8a73280af740fe391ad829519"},
      {"application/x-www-form-urlencoded", "b=x+y&a=%31",
       "198a26bfbbbd86d29f32b6d1cf86b23e3fa98f745d2c72e5418bfdf25ca201d6",
       "9f76c78fe8160278335cf2c0281e0487c2f38ee05e7fbe26e5386aa714eec34f"},
      {"multipart/form-data; boundary=X", upload,
       "a59c9f6bfbcad7a0c68eb16d087e00a695015a2a65effaa5aee735ec8811c9eb",
       "5a4ea58cb7f85708cb417bc647a2e119a909fd6f40a01ed7f7035d2029fb0821"},
  };
  for (const auto& [type, body, fingerprint, payload] : cases) {
    INFO(type);
    const Both by_key = digests(keyed(), order(type, body));
    REQUIRE(by_key.earlier);
    CHECK(by_key.earlier->fingerprint == by_key.now.fingerprint);
    CHECK(by_key.earlier->payload->hex() == payload);
    CHECK(by_key.now.payload->hex() != payload);
    const Both by_body = digests(by_content(), order(type, body));
    REQUIRE(by_body.earlier);
    CHECK(by_body.earlier->fingerprint.hex() == fingerprint);
    CHECK_FALSE(by_body.earlier->payload);
    CHECK(by_body.now.fingerprint.hex() != fingerprint);
  }
}

TEST_CASE("where a policy says what it selected before, that is digested") {
  Policy policy = by_content();
  Selection before{{selector(Source::target)}, {}, {}};
  policy.earlier = std::make_shared<const Selection>(before);
  Policy as_it_was = policy;
  as_it_was.fingerprint = before.fingerprint;
  as_it_was.earlier = nullptr;
  const Request request = order("application/json", "{}");
  const Both both = digests(policy, request);
  REQUIRE(both.earlier);
  CHECK(both.earlier->fingerprint == digests(as_it_was, request).now.fingerprint);
  before.fingerprint = policy.fingerprint;
  policy.earlier = std::make_shared<const Selection>(before);
  CHECK_FALSE(digests(policy, request).earlier);
  before.fingerprint = {selector(Source::header, "X-Absent")};
  policy.earlier = std::make_shared<const Selection>(before);
  CHECK_FALSE(digests(policy, request).earlier);
}
