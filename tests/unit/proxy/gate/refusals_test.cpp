#include "proxy/gate/refusals.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using policies::FixedAnswer;
using policies::Policy;
using policies::Refusal;
using policies::SelectError;

constexpr const char* json_type = "Content-Type: application/json\r\n";

TEST_CASE("refusals of a policy have the answers of proxy/http/PROTOCOL.md") {
  const Policy policy;
  Reply reply = refuse(policy, store::Stale{});
  CHECK(reply.decision == Decision::stale);
  CHECK(reply.answer.status == 200);
  CHECK(reply.answer.head == json_type);
  CHECK(reply.answer.body == R"({"status":"ignored","reason":"stale"})");

  reply = refuse(policy, store::Closed{5s});
  CHECK(reply.decision == Decision::closed);
  CHECK(reply.answer.status == 200);
  CHECK(reply.answer.head == json_type);
  CHECK(reply.answer.body == R"({"status":"ignored","reason":"closed"})");

  reply = refuse(policy, store::RateLimited{1'500ms});
  CHECK(reply.decision == Decision::rate_limited);
  CHECK(reply.answer.status == 429);
  CHECK(reply.answer.head == "Content-Type: application/problem+json\r\nRetry-After: 2\r\n");
  CHECK(reply.answer.body.find("\"type\":\"urn:onceproxy:problem:rate-limited\"") !=
        std::string::npos);

  reply = refuse(policy, store::NoTurn{});
  CHECK(reply.decision == Decision::busy);
  CHECK(reply.answer.status == 503);
  CHECK(reply.answer.head.find("Retry-After: 1\r\n") != std::string::npos);
}

TEST_CASE("a duplicate of a request under way is refused, or acknowledged") {
  Policy policy;
  policy.in_flight.action =
      GENERATE(policies::InFlightRule::Action::reject, policies::InFlightRule::Action::wait);
  CHECK(refuse(policy, store::InFlight{}).decision == Decision::in_flight);
  CHECK(refuse(policy, store::InFlight{}).answer.status == 409);

  policy.in_flight.action = policies::InFlightRule::Action::acknowledge;
  const Reply reply = refuse(policy, store::InFlight{});
  CHECK(reply.decision == Decision::acknowledged);
  CHECK(reply.answer.status == 202);
  CHECK(reply.answer.head == json_type);
  CHECK(reply.answer.body == R"({"status":"accepted","reason":"in-flight"})");
}

TEST_CASE("a title speaks of a key where the policy takes one, by the name of its header") {
  const auto title = [](const Reply& reply) {
    const std::size_t begin = reply.answer.body.find("\"title\":\"") + 9;
    return reply.answer.body.substr(begin, reply.answer.body.find('"', begin) - begin);
  };
  Policy policy;
  policy.fingerprint.resize(2);
  policy.fingerprint[0].source = policies::Source::form;
  policy.fingerprint[1].source = policies::Source::body;
  CHECK(title(refuse(policy, store::InFlight{})) == "A request is outstanding for this operation");
  CHECK(title(refuse(policy, store::Mismatch{})) == "This operation was sent with another payload");
  using Kind = SelectError::Kind;
  CHECK(title(refuse(policy, SelectError{Kind::missing, "body: /id"})) ==
        "A field that the operation needs is missing");

  policy.fingerprint[1].source = policies::Source::client_key;
  for (const auto& [name, told] : {std::pair("idempotency-key", "Idempotency-Key"),
                                   std::pair("X-Request-Key", "X-Request-Key")}) {
    policy.fingerprint[1].name = name;
    const std::string key = told;
    CHECK(title(refuse(policy, store::InFlight{})) == "A request is outstanding for this " + key);
    CHECK(title(refuse(policy, store::Mismatch{})) == key + " is already used");
    CHECK(title(refuse(policy, SelectError{Kind::missing, "x", {}, name})) == key + " is missing");
    CHECK(title(refuse(policy, SelectError{Kind::bad_key, "x", {}, name})) ==
          key + " is malformed");
    CHECK(title(refuse(policy, SelectError{Kind::missing, "header: a"})) ==
          "A field that the operation needs is missing");
  }
}

Reply repeated(const Policy& policy, store::Completed completed) {
  const policies::RequestView request;
  policies::Document body(request, "", 0);
  return repeat(policy, std::move(completed), {policy.match, request, body});
}

TEST_CASE("each refusal can be given an answer of the policy's, and keeps its decision") {
  Policy policy;
  for (std::size_t i = 0; i < policies::refusal_count; ++i) {
    policy.respond[i] = FixedAnswer{200, {{"x-place", std::to_string(i)}}, "own"};
  }
  const auto check = [](const Reply& reply, Decision decision, Refusal place) {
    CHECK(reply.decision == decision);
    CHECK(reply.answer.status == 200);
    CHECK(reply.answer.body == "own");
    CHECK(reply.answer.head ==
          "x-place: " + std::to_string(static_cast<std::size_t>(place)) + "\r\n");
  };
  using Kind = SelectError::Kind;
  using Reason = store::Unavailable::Reason;
  check(refuse(policy, SelectError{Kind::missing, "x"}), Decision::missing_key,
        Refusal::missing_key);
  check(refuse(policy, SelectError{Kind::bad_key, "x"}), Decision::bad_key, Refusal::bad_key);
  check(refuse(policy, SelectError{Kind::unreadable, "x"}), Decision::unreadable,
        Refusal::unreadable);
  check(refuse(policy, store::InFlight{}), Decision::in_flight, Refusal::in_flight);
  check(refuse(policy, store::Mismatch{}), Decision::mismatch, Refusal::mismatch);
  check(refuse(policy, store::Held{1s}), Decision::held, Refusal::held);
  check(refuse(policy, store::Stale{}), Decision::stale, Refusal::stale);
  check(refuse(policy, store::Closed{1s}), Decision::closed, Refusal::closed);
  check(refuse(policy, store::RateLimited{1s}), Decision::rate_limited, Refusal::rate_limited);
  check(refuse(policy, store::NoTurn{}), Decision::busy, Refusal::busy);
  check(refuse(policy, store::Unavailable{Reason::pending}), Decision::busy, Refusal::busy);
  check(refuse(policy, store::Unavailable{Reason::full}), Decision::store_error,
        Refusal::store_error);
  check(repeated(policy, store::Completed{{200, "", "", false}, {}}), Decision::not_replayable,
        Refusal::not_replayable);
  policy.in_flight.action = policies::InFlightRule::Action::acknowledge;
  check(refuse(policy, store::InFlight{}), Decision::acknowledged, Refusal::acknowledged);
  // If the operation was ended, no request under way does what is asked for now.
  check(refuse(policy, store::InFlight{true}), Decision::in_flight, Refusal::in_flight);
  // What was done is no refusal.
  CHECK(repeated(policy, store::Completed{{201, "", "kept", true}, {}}).answer.body == "kept");
}

TEST_CASE("an error of the policy's own still says when to come back") {
  Policy policy;
  FixedAnswer& own = policy.respond[static_cast<std::size_t>(Refusal::rate_limited)].emplace(
      FixedAnswer{503, {}, ""});
  CHECK(refuse(policy, store::RateLimited{90s}).answer.head == "Retry-After: 90\r\n");
  own.headers = {{"retry-after", "7"}};
  CHECK(refuse(policy, store::RateLimited{90s}).answer.head == "retry-after: 7\r\n");
  own = FixedAnswer{200, {}, ""};
  CHECK(refuse(policy, store::RateLimited{90s}).answer.head.empty());
}

}  // namespace
}  // namespace onceproxy::gate
