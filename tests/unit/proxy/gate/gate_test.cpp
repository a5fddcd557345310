#include "proxy/gate/gate.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "gate_fixture.hpp"
#include "policies/select.hpp"
#include "proxy/telemetry/json_text.hpp"
#include "store/lease.hpp"

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using io::start;
using policies::Source;
using store::Settled;
using store::Unavailable;
using testing::Fixture;

TEST_CASE_METHOD(Fixture, "the first request of an operation is forwarded with a reservation") {
  store.at_once = GENERATE(true, false);
  admit();
  REQUIRE(std::holds_alternative<Forward>(admission->verdict));
  const Forward& forward = std::get<Forward>(admission->verdict);
  CHECK(forward.policy == &rule());
  CHECK(forward.permit.fence() == 42);
  CHECK(count("onceproxy_reservations_active") == 1);
  CHECK(count("onceproxy_leases_expired_total") == 0);

  const policies::RequestView view = request.view();
  policies::Document document(view, request.body, 1000);
  const auto operation = policies::select_operation(rule(), view, document);
  REQUIRE(operation);
  REQUIRE(store.asked.size() == 1);
  CHECK(store.asked[0].verb == "reserve");
  CHECK(store.asked[0].fingerprint == operation->fingerprint);
  CHECK(store.asked[0].payload == operation->payload);
  CHECK(store.asked[0].payload);
  CHECK(store.asked[0].terms.lease == 11s);
  CHECK(store.asked[0].policy == "dispatch");
  CHECK(store.asked[0].request_id == "r-1");
  CHECK(admission->fingerprint == operation->fingerprint);
  CHECK(forward.permit.fingerprint() == operation->fingerprint);
}

TEST_CASE_METHOD(Fixture, "a reservation that is dropped unused is left to the store") {
  admit();
  admission.reset();
  CHECK(store.permits_dropped == 1);
}

TEST_CASE_METHOD(Fixture, "a further attempt counts the lease that ended before it") {
  store.attempt = 3;
  admit();
  CHECK(std::holds_alternative<Forward>(admission->verdict));
  CHECK(count("onceproxy_leases_expired_total") == 1);
}

TEST_CASE_METHOD(Fixture, "a completed operation is replayed, and its age is counted") {
  store.at_once = GENERATE(true, false);
  admit(store::Completed{{201, "Date: x\r\n", "body", true}, clock.now() - 90s});
  CHECK(reply().decision == Decision::replayed);
  CHECK(reply().answer.status == 201);
  CHECK(reply().answer.head == "Date: x\r\nIdempotent-Replayed: true\r\n");
  CHECK(reply().answer.body == "body");
  CHECK(admission->fingerprint);
  CHECK(count("onceproxy_duplicate_age_seconds_count") == 1);
  CHECK(count("onceproxy_duplicate_age_seconds_sum") == Approx(90));
  CHECK(count("onceproxy_reservations_active") == 0);
}

TEST_CASE_METHOD(Fixture, "an answer that was not kept cannot be replayed") {
  admit(store::Completed{{200, "", "", false}, clock.now()});
  CHECK(reply().decision == Decision::not_replayable);
  CHECK(reply().answer.status == 409);
  CHECK(count("onceproxy_duplicate_age_seconds_count") == 1);
}

TEST_CASE_METHOD(Fixture, "a fixed answer suppresses duplicates, kept answer or not") {
  policy.on_duplicate = policies::FixedAnswer{200, {{"x-a", "1"}}, "again"};
  const bool replayable = GENERATE(true, false);
  admit(store::Completed{{201, "Secret: 1\r\n", "secret", replayable}, clock.now()});
  CHECK(reply().decision == Decision::suppressed);
  CHECK(reply().answer.status == 200);
  CHECK(reply().answer.head == "x-a: 1\r\n");
  CHECK(reply().answer.body == "again");
}

TEST_CASE_METHOD(Fixture, "each refusal of the store has its decision and its answer") {
  store.at_once = GENERATE(true, false);
  admit(store::InFlight{});
  CHECK(reply().decision == Decision::in_flight);
  CHECK(reply().answer.body == in_flight("Idempotency-Key").body);
  admit(store::Mismatch{});
  CHECK(reply().decision == Decision::mismatch);
  CHECK(reply().answer.body == mismatch("Idempotency-Key").body);
  admit(store::Held{2500ms});
  CHECK(reply().decision == Decision::held);
  CHECK(reply().answer.head == held(3s).head);
  admit(store::Held{std::nullopt});
  CHECK(reply().decision == Decision::held);
  CHECK(reply().answer.head == held(3600s).head);
  CHECK(admission->fingerprint);
  CHECK(count("onceproxy_reservations_active") == 0);
  CHECK(count("onceproxy_duplicate_age_seconds_count") == 0);
}

TEST_CASE_METHOD(Fixture, "a store that cannot promise is a store error, or busy where it is") {
  for (const auto reason : {Unavailable::Reason::failed, Unavailable::Reason::full,
                            Unavailable::Reason::corrupt, Unavailable::Reason::closing}) {
    admit(Unavailable{reason});
    CHECK(reply().decision == Decision::store_error);
    CHECK(reply().answer.status == 503);
    CHECK(reply().answer.head.find("Retry-After: 1\r\n") != std::string::npos);
  }
  admit(Unavailable{Unavailable::Reason::pending});
  CHECK(reply().decision == Decision::busy);
  CHECK(reply().answer.status == 503);
}

TEST_CASE_METHOD(Fixture,
                 "a policy may forward what the store cannot promise, but never overload") {
  policy.on_store_error = policies::OnStoreError::forward;
  for (const auto reason : {Unavailable::Reason::failed, Unavailable::Reason::full,
                            Unavailable::Reason::corrupt, Unavailable::Reason::closing}) {
    admit(Unavailable{reason});
    CHECK(passes());
  }
  admit(Unavailable{Unavailable::Reason::pending});
  CHECK(reply().decision == Decision::busy);
  // Only the store's silence is passed over, not what it knows.
  admit(store::InFlight{});
  CHECK(reply().decision == Decision::in_flight);
}

TEST_CASE_METHOD(Fixture, "a policy that is off asks nobody") {
  policy.enforcement.mode = policies::Enforcement::Mode::off;
  request.headers.clear();
  admit();
  CHECK(passes());
  CHECK_FALSE(admission->fingerprint);
  CHECK(store.asked.empty());
}

TEST_CASE_METHOD(Fixture, "earlier digests are told as long as a record may have them, no longer") {
  request.headers.emplace_back("Content-Type", "text/plain");
  request.body = "1.10";
  const auto remembered = store::remembered_max(policy.terms);
  admit();
  store.since = clock.now() - remembered + 1ms;
  admit();
  store.since = clock.now() - remembered;
  admit();
  REQUIRE(store.asked.size() == 3);
  CHECK_FALSE(store.asked[0].earlier);
  REQUIRE(store.asked[1].earlier);
  CHECK(store.asked[1].earlier->fingerprint == store.asked[1].fingerprint);
  CHECK(store.asked[1].earlier->payload != store.asked[1].payload);
  CHECK_FALSE(store.asked[2].earlier);
}

TEST_CASE_METHOD(Fixture, "the longest that any policy or override remembers counts") {
  policies::Policy longer = policy;
  longer.terms.window = 72h;
  policies::Policy other = policy;
  other.name = "other";
  other.overrides = {{{}, std::make_shared<const policies::Policy>(longer)}};
  const Rules both({policy, other}, metrics);
  CHECK(both.remembered_max() == store::remembered_max(longer.terms));
  CHECK(both.remembered_max() >= 72h + longer.terms.lease);
}

TEST_CASE_METHOD(Fixture, "a request without its key is refused or passed, as the policy says") {
  request.headers.clear();
  SECTION("reject") {
    admit();
    CHECK(reply().decision == Decision::missing_key);
    CHECK(reply().answer.status == 400);
    CHECK(reply().answer.body == missing_key("Idempotency-Key", "selector: Idempotency-Key").body);
  }
  SECTION("pass") {
    policy.on_missing = policies::OnMissing::pass;
    admit();
    CHECK(passes());
  }
  CHECK(admission->error == "selector: Idempotency-Key is missing");
  CHECK_FALSE(admission->fingerprint);
  CHECK(store.asked.empty());
}

TEST_CASE_METHOD(Fixture, "a malformed key is told in the log without the key") {
  request.headers = {{"Idempotency-Key", "secret,secret"}};
  admit();
  CHECK(reply().decision == Decision::bad_key);
  CHECK(admission->error == "Idempotency-Key: the key has a character it may not have");
}

TEST_CASE_METHOD(Fixture, "an unreadable body is refused or passed, as the policy says") {
  policy.overrides = {
      {{{policies::test::selector(policies::Source::body, "/type"), {"x"}, nullptr}},
       std::make_shared<const policies::Policy>(policy)}};
  request.body = R"({"type":"x","type":"x"})";
  SECTION("reject") {
    admit();
    CHECK(reply().decision == Decision::unreadable);
    CHECK(reply().answer.status == 400);
    CHECK(reply().answer.body ==
          R"({"type":"urn:onceproxy:problem:unreadable-body","title":"The body cannot be read",)"
          R"("status":400,"detail":"The body is not valid JSON: a member name is repeated at byte )"
          R"(12."})");
  }
  SECTION("pass") {
    policy.on_unreadable = policies::OnMissing::pass;
    admit();
    CHECK(passes());
  }
  CHECK(admission->error == "The body is not valid JSON: a member name is repeated at byte 12.");
  CHECK_FALSE(admission->fingerprint);
  CHECK(store.asked.empty());
}

TEST_CASE_METHOD(Fixture, "a malformed key is refused whatever the policy says of missing ones") {
  policy.on_missing = GENERATE(policies::OnMissing::reject, policies::OnMissing::pass);
  const std::string key = GENERATE("", "a b", "\"a", "a,b");
  request.headers = {{"Idempotency-Key", key}};
  admit();
  CHECK(reply().decision == Decision::bad_key);
  CHECK(reply().answer.status == 400);
  std::string escaped;
  telemetry::append_escaped(escaped, key);
  if (!key.empty()) CHECK(reply().answer.body.find(escaped) == std::string::npos);
  request.headers = {{"Idempotency-Key", "a"}, {"idempotency-key", "a"}};
  admit();
  CHECK(reply().decision == Decision::bad_key);
  CHECK(store.asked.empty());
}

}  // namespace
}  // namespace onceproxy::gate
