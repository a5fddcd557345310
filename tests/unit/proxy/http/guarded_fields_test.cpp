#include "proxy/http/guarded_fields.hpp"

#include <catch2/catch.hpp>

#include "heads.hpp"
#include "proxy/http/head_writer.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using policies::Policy;
using policies::Selector;
using policies::Source;

Selector selector(Source source, std::string name) {
  Selector out;
  out.source = source;
  out.name = std::move(name);
  return out;
}

Policy reading(std::string header) {
  Policy policy;
  policy.fingerprint = {selector(Source::header, std::move(header))};
  return policy;
}

/// A policy that reads a field named after each place where it may.
Policy reading_everywhere() {
  Policy policy;
  policy.match.headers = {{"in-match", policies::HeaderCondition::Present{}}};
  policy.match.where = {{selector(Source::header, "in-where"), {"x"}, nullptr}};
  Selector first = selector(Source::client_key, "in-fingerprint");
  first.otherwise = std::make_shared<Selector>(selector(Source::header, "in-otherwise"));
  policy.fingerprint = {first};
  policy.scope = {selector(Source::header, "in-scope")};
  policy.payload = {selector(Source::header, "in-payload"), selector(Source::query, "no-header")};
  policy.entity.emplace();
  policy.entity->id = {selector(Source::header, "in-entity")};
  policy.entity->sequence = selector(Source::header, "in-sequence");
  policy.rate_limit.emplace().by = {selector(Source::header, "in-rate-limit")};
  Policy other;
  other.rate_limit.emplace().by = {selector(Source::header, "in-other-rate-limit")};
  policy.overrides = {{{{selector(Source::header, "in-override"), {"x"}, nullptr}},
                       std::make_shared<const Policy>(other)}};
  return policy;
}

constexpr const char* places[] = {"in-match",     "in-where",           "in-fingerprint",
                                  "in-otherwise", "in-scope",           "in-payload",
                                  "in-entity",    "in-sequence",        "in-rate-limit",
                                  "in-override",  "in-other-rate-limit"};

std::string_view reason(const std::string& fields, const Policy& policy) {
  const Request request(get(fields));
  REQUIRE_FALSE(request.bad);
  const auto changed = changed_on_the_way(request.head, policy);
  return changed ? changed->reason : "";
}

}  // namespace

TEST_CASE("Connection may name no field that a policy reads, wherever it reads it") {
  for (const std::string name : places) {
    INFO(name);
    CHECK(reason("Connection: x, " + name + "\r\n" + name + ": 1\r\n", reading_everywhere()) ==
          "connection");
  }
  CHECK(reason("Connection: no-header\r\nNo-Header: 1\r\n", reading_everywhere()) == "");
  // What is not there cannot be dropped.
  CHECK(reason("Connection: in-scope\r\n", reading_everywhere()) == "");
}

TEST_CASE("policies read what is delivered") {
  const Request request(get("A: 1\r\nConnection: b\r\nB: 2\r\nC: 3\r\n"));
  std::vector<Field> kept;
  std::string names;
  for (const Field& field : delivered_fields(request.head, kept)) names += field.name;
  CHECK(names == "HostAConnectionC");
  const Request whole(get("A: 1\r\nConnection: close\r\n"));
  CHECK(delivered_fields(whole.head, kept).data() == whole.head.fields.data());
}

TEST_CASE("a request id that would be replaced is refused where a policy reads it") {
  const Policy policy = reading("X-Request-Id");
  const std::string longest(request_id_bytes_max, 'x');
  CHECK(reason("X-Request-Id: " + longest + "\r\n", policy) == "");
  CHECK(reason("X-Request-Id: " + longest + "x\r\n", policy) == "request-id");
  CHECK(reason("X-Request-Id: a\r\nx-request-id: a\r\n", policy) == "request-id");
  CHECK(reason("X-Request-Id:\r\n", policy) == "request-id");
  CHECK(reason("A: b\r\n", policy) == "");
  CHECK(reason("X-Request-Id: a\r\nx-request-id: a\r\n", reading("other")) == "");
}

TEST_CASE("another spelling of a guarded field is a twin, and nothing else is") {
  Policy keyed;
  keyed.fingerprint = {selector(Source::client_key, "Idempotency-Key")};
  Policy overriding;
  overriding.match.method_override = true;
  const std::vector<Policy> all{keyed, reading_everywhere(), overriding};
  const GuardedFields guarded(all);
  for (const char* name :
       {"Onceproxy_Fence", "onceproxy_Fingerprint", "ONCEPROXY_X", "Onceproxy_a-b",
        "X_Forwarded_For", "X-Forwarded_Proto", "x_forwarded-Anything", "X_Request_Id",
        "x-request_id", "X_Envoy-Expected-Rq-Timeout-Ms", "Transfer_Encoding", "Content_Length",
        "content_type", "Content_Encoding", "Idempotency_Key", "X_HTTP_Method_Override",
        "In_Override", "in_other-rate_limit"}) {
    INFO(name);
    CHECK(guarded.is_twin(name));
  }
  for (const char* name :
       {"Onceproxy-Fence", "Idempotency-Key", "in-scope", "X_Mine", "_", "X-Request-Id",
        "Idempotency_Keys", "in-scope_", "Content_Language", "no_header"}) {
    INFO(name);
    CHECK_FALSE(guarded.is_twin(name));
  }
  CHECK_FALSE(GuardedFields({}).is_twin("Idempotency_Key"));
}

TEST_CASE("a field that a policy spells with an underscore has its twins without") {
  const std::vector<Policy> policies{reading("order_id"), reading("line_no"), reading("line-no")};
  const GuardedFields guarded(policies);
  CHECK_FALSE(guarded.is_twin("Order_Id"));
  CHECK(guarded.is_twin("Order-Id"));
  CHECK_FALSE(guarded.is_twin("orderid"));
  CHECK_FALSE(guarded.is_twin("line_no"));
  CHECK_FALSE(guarded.is_twin("line-no"));
}

TEST_CASE("twins go no further, and are counted") {
  Request request(get("Onceproxy_Fence: 9\r\nA_B: 1\r\nX_Request_Id: 2\r\nContent-Length: 0\r\n"));
  REQUIRE_FALSE(request.bad);
  CHECK(GuardedFields({}).drop_twins(request.head) == 2);
  std::string out;
  write_request_head(request.head, {}, "", {}, out);
  CHECK(out == "GET / HTTP/1.1\r\nHost: h\r\nA_B: 1\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace onceproxy::http
