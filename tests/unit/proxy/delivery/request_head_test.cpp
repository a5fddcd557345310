#include "proxy/delivery/request_head.hpp"

#include <catch2/catch.hpp>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::delivery {
namespace {

using Catch::Matchers::Contains;

store::Event event() {
  store::Event made;
  made.number = 42;
  made.fingerprint.bytes.fill(0xAB);
  made.request_id = "r-1";
  made.method = "POST";
  made.target = "/dispatch?x=1";
  made.head =
      "Host: shop.example\r\nContent-Type: application/json\r\nAuthorization: Bearer secret\r\n"
      "Cookie: a=b\r\nIdempotency-Key: client\r\nwebhook-id: forged\r\nX-Trace: t\r\n";
  made.body = R"({"ride":1})";
  return made;
}

policies::Listener listener() {
  policies::Listener made;
  made.name = "billing";
  made.path = "/events";
  return made;
}

std::string written(const policies::Listener& to, HeadTerms terms = {}) {
  if (terms.authority.empty()) terms.authority = "127.0.0.1:9000";
  terms.now = std::chrono::seconds(1'600'000'000);
  std::string out;
  write_delivery_head(event(), to, terms, out);
  return out;
}

TEST_CASE("A listener gets the request's fields, and those by which it knows a repeat",
          "[request_head]") {
  CHECK(written(listener()) ==
        "POST /events HTTP/1.1\r\n"
        "Host: 127.0.0.1:9000\r\n"
        "Content-Type: application/json\r\n"
        "X-Trace: t\r\n"
        "Content-Length: 10\r\n"
        "x-request-id: r-1\r\n"
        "Onceproxy-Fingerprint: " +
            event().fingerprint.hex() +
            "\r\n"
            "Onceproxy-Fence: 42\r\n"
            "Idempotency-Key: \"abababababababababababababababab-42.billing\"\r\n"
            "webhook-id: abababababababababababababababab-42\r\n"
            "webhook-timestamp: 1600000000\r\n"
            "\r\n");
}

TEST_CASE("A head is one that a strict reader takes", "[request_head]") {
  http::RequestHead head;
  const std::string text = written(listener());
  CHECK_FALSE(http::parse_request_head(text, {}, head));
  CHECK(head.framing.length == 10);
}

TEST_CASE("Credentials of the request reach no listener that does not name them",
          "[request_head]") {
  CHECK_THAT(written(listener()), !Contains("secret"));
  CHECK_THAT(written(listener()), !Contains("Cookie"));
  policies::Listener named = listener();
  named.headers = {{"Authorization", "Authorization", true}, {"X-Key", "k", false}};
  CHECK_THAT(written(named), Contains("Authorization: Bearer secret\r\n"));
  CHECK_THAT(written(named), Contains("X-Key: k\r\n"));
}

TEST_CASE("A field that a listener names takes the place of the request's", "[request_head]") {
  policies::Listener named = listener();
  named.headers = {{"x-trace", "mine", false}};
  CHECK_THAT(written(named), Contains("x-trace: mine\r\n"));
  CHECK_THAT(written(named), !Contains("X-Trace: t"));
}

TEST_CASE("The upstream gets what it would have got from the client", "[request_head]") {
  policies::Listener upstream = listener();
  upstream.path.clear();
  HeadTerms terms;
  terms.to_upstream = true;
  const std::string head = written(upstream, terms);
  CHECK_THAT(head, Catch::StartsWith("POST /dispatch?x=1 HTTP/1.1\r\nHost: shop.example\r\n"));
  CHECK_THAT(head, Contains("Authorization: Bearer secret\r\n"));
  CHECK_THAT(head, Contains("Idempotency-Key: client\r\n"));
  CHECK_THAT(head, !Contains("billing"));
}

TEST_CASE("A signature is over the event's id, the time and the body", "[request_head]") {
  const auto keys = SigningKeys::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  REQUIRE(keys);
  HeadTerms terms;
  terms.keys = &*keys;
  CHECK_THAT(written(listener(), terms),
             Contains("webhook-signature: " +
                      keys->sign(webhook_id(event()), 1'600'000'000, event().body) + "\r\n"));
}

}  // namespace
}  // namespace onceproxy::delivery
