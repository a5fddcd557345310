// What admit() asks of the store for each key of a policy, and what becomes of a policy that only
// watches or holds for a share of the fingerprints.
#include <catch2/catch.hpp>

#include "gate_fixture.hpp"
#include "policies/select.hpp"
#include "policies/share.hpp"

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using policies::Enforcement;
using policies::InFlightRule;
using policies::Policy;
using policies::Source;

struct AdmissionFixture : testing::Fixture {
  void add_entity() {
    policies::EntityRule& entity = policy.entity.emplace();
    entity.type = "ride";
    entity.id = {policies::test::selector(Source::header, "x-ride")};
    entity.wait = 3s;
    entity.closes = 1h;
    entity.unless_closed = true;
    policies::Selector sequence = policies::test::selector(Source::header, "x-sequence");
    entity.sequence = sequence;
    request.headers.push_back({"x-ride", "r-7"});
    request.headers.push_back({"x-sequence", "41"});
  }
  void add_rate_limit() { policy.rate_limit = policies::RateLimit{10, 1h, {}}; }
  void watch() { policy.enforcement.mode = Enforcement::Mode::shadow; }
};

TEST_CASE_METHOD(AdmissionFixture, "a policy without further keys asks nothing further") {
  admit();
  CHECK_FALSE(store.asked[0].entity);
  CHECK_FALSE(store.asked[0].rate);
  CHECK(store.asked[0].wait == 0ms);
  CHECK(store.asked[0].bytes_kept == 77);
  CHECK(store.asked[0].trace_id == "trace-1");
  CHECK(store.asked[0].trace == "here");
  CHECK(admission->origin.empty());
  CHECK_FALSE(admission->shadow);
  CHECK(count("onceproxy_entity_wait_seconds_count") == 0);
}

TEST_CASE_METHOD(AdmissionFixture, "an entity is asked for with its turn, sequence and closing") {
  add_entity();
  store.turn_wait = 2s;
  admit();
  REQUIRE(store.asked[0].entity);
  const store::EntityTerms& entity = *store.asked[0].entity;
  const std::vector<std::string> id{"r-7"};
  CHECK(entity.key == policies::entity_key("ride", id));
  CHECK(store.asked[0].entity_type == "ride");
  CHECK(store.asked[0].entity_id == "r-7");
  CHECK(entity.turn == 3s);
  CHECK(entity.sequence == 41);
  CHECK(entity.closes == 1h);
  CHECK(entity.unless_closed);
  CHECK(count("onceproxy_entity_wait_seconds_count") == 1);
  CHECK(count("onceproxy_entity_wait_seconds_sum") == Approx(2));
}

TEST_CASE_METHOD(AdmissionFixture, "a duplicate is told where the first one stood in its trace") {
  admit(store::Completed{{200, "", "", true}, clock.now(), "there"});
  CHECK(admission->origin == "there");
}

TEST_CASE_METHOD(AdmissionFixture, "a rate limit is asked for") {
  add_rate_limit();
  admit();
  REQUIRE(store.asked[0].rate);
  CHECK(store.asked[0].rate->limit == 10);
  CHECK(store.asked[0].rate->per == 1h);
}

TEST_CASE_METHOD(AdmissionFixture, "only who is to wait for the first one's answer does") {
  policy.in_flight = {InFlightRule::Action::wait, 7s};
  admit();
  CHECK(store.asked[0].wait == 7s);
  rules.reset();
  policy.in_flight.action =
      GENERATE(InFlightRule::Action::reject, InFlightRule::Action::acknowledge);
  admit();
  CHECK(store.asked[1].wait == 0s);
}

TEST_CASE_METHOD(AdmissionFixture, "the override that applies is what the reservation is made by") {
  auto changed = std::make_shared<Policy>(policy);
  changed->terms.window = 5min;
  changed->on_duplicate = policies::FixedAnswer{};
  policies::Condition critical;
  critical.selector = policies::test::selector(Source::header, "x-severity");
  critical.any_of = {"critical"};
  policy.overrides = {{{critical}, changed}};
  admit();
  CHECK(store.asked[0].terms.window == policy.terms.window);
  request.headers.push_back({"x-severity", "critical"});
  admit(store::Completed{{201, "", "kept", true}, clock.now()});
  CHECK(store.asked[1].terms.window == 5min);
  CHECK(reply().decision == Decision::suppressed);
}

TEST_CASE_METHOD(AdmissionFixture, "a policy in shadow mode reserves and delays no request") {
  watch();
  add_entity();
  policy.in_flight = {InFlightRule::Action::wait, 7s};
  admit();
  CHECK(std::holds_alternative<Forward>(admission->verdict));
  CHECK(std::get<Forward>(admission->verdict).watched);
  CHECK(admission->shadow == Decision::forwarded);
  CHECK(store.asked[0].wait == 0s);
  REQUIRE(store.asked[0].entity);
  CHECK_FALSE(store.asked[0].entity->turn);
  CHECK(store.asked[0].entity->sequence == 41);
}

TEST_CASE_METHOD(AdmissionFixture,
                 "a policy in shadow mode refuses nothing and reports its decision") {
  watch();
  const auto check = [&](store::ReserveResult result, Decision decision) {
    admit(std::move(result));
    CHECK(passes());
    CHECK(admission->shadow == decision);
    CHECK(admission->fingerprint);
  };
  check(store::InFlight{}, Decision::in_flight);
  check(store::Mismatch{}, Decision::mismatch);
  check(store::Held{1s}, Decision::held);
  check(store::Stale{}, Decision::stale);
  check(store::Closed{1s}, Decision::closed);
  check(store::RateLimited{1s}, Decision::rate_limited);
  check(store::Completed{{200, "", "", true}, clock.now()}, Decision::replayed);
  check(store::Unavailable{}, Decision::store_error);
  check(store::Unavailable{store::Unavailable::Reason::pending}, Decision::busy);

  request.headers.clear();
  admit();
  CHECK(passes());
  CHECK(admission->shadow == Decision::missing_key);
  request.headers = {{"Idempotency-Key", ""}};
  admit();
  CHECK(passes());
  CHECK(admission->shadow == Decision::bad_key);
}

TEST_CASE_METHOD(AdmissionFixture, "where the policy would have let it pass, who watches says so") {
  watch();
  policy.on_missing = policies::OnMissing::pass;
  policy.on_store_error = policies::OnStoreError::forward;
  admit(store::Unavailable{});
  CHECK(passes());
  CHECK(admission->shadow == Decision::passed);
  request.headers.clear();
  admit();
  CHECK(passes());
  CHECK(admission->shadow == Decision::passed);
}

TEST_CASE_METHOD(AdmissionFixture, "a completion that is lost spoils no answer that is watched") {
  const Policy& rule = this->rule();
  worker.reservation(rules->id(rule), +1);
  store.settled = store::Settled::failed;
  const policies::Field fields[] = {{"Date", "x"}};
  start(testing::run_settle(gate, *rules, Forward{store.permit({}), &rule, true},
                            Answered{200, fields, "body", true}, settlement));
  REQUIRE(settlement);
  CHECK(settlement->decision == Decision::forwarded);
  CHECK_FALSE(settlement->answer);
  CHECK(telemetry::Exposition(metrics.exposition())
            .at(R"(onceproxy_operations_total{policy="dispatch",outcome="unsaved"})") == 1);
}

TEST_CASE_METHOD(AdmissionFixture, "outside the share a request passes and leaves no trace") {
  policy.enforcement.percent = 50;
  int inside = 0;
  for (int i = 0; i < 100; ++i) {
    store.asked.clear();
    request.headers = {{"Idempotency-Key", "k-" + std::to_string(i)}};
    admit();
    REQUIRE(admission->fingerprint);
    const bool in = policies::in_share(*admission->fingerprint, 50);
    inside += in ? 1 : 0;
    CHECK(passes() == !in);
    CHECK(store.asked.size() == (in ? 1 : 0));
    CHECK_FALSE(admission->shadow);
  }
  CHECK(inside > 20);
  CHECK(inside < 80);
  // Without a fingerprint there is no telling on which side it is.
  store.asked.clear();
  request.headers.clear();
  admit();
  CHECK(passes());
}

TEST_CASE_METHOD(AdmissionFixture,
                 "each request that passes unprotected is counted, with the reason") {
  const auto counted = [&](const std::string& reason) {
    return telemetry::Exposition(metrics.exposition())
        .at(R"(onceproxy_unprotected_total{policy="dispatch",reason=")" + reason + "\"}")
        .value_or(-1);
  };
  policy.on_missing = policies::OnMissing::pass;
  policy.on_store_error = policies::OnStoreError::forward;
  admit();
  admit(store::Unavailable{store::Unavailable::Reason::pending});
  for (const std::string reason : {"off", "percent", "missing-key", "store-error"}) {
    INFO(reason);
    CHECK(counted(reason) == 0);
  }
  admit(store::Unavailable{});
  CHECK(counted("store-error") == 1);
  rules->enforce(rule(), {Enforcement::Mode::enforce, 0});
  admit();
  CHECK(counted("percent") == 1);
  request.headers.clear();
  admit();
  CHECK(counted("percent") == 2);
  rules->enforce(rule(), {Enforcement::Mode::enforce, 100});
  admit();
  CHECK(counted("missing-key") == 1);
  rules->enforce(rule(), {Enforcement::Mode::off, 100});
  admit();
  CHECK(counted("off") == 1);
  // Who only watches protects nothing, and says what it would have done.
  rules->enforce(rule(), {Enforcement::Mode::shadow, 100});
  admit();
  request.headers = {{"Idempotency-Key", "k"}};
  admit(store::Unavailable{});
  CHECK(counted("missing-key") == 1);
  CHECK(counted("store-error") == 1);
}

TEST_CASE_METHOD(AdmissionFixture, "enforcement is what it is now, not what the file said") {
  rule();
  rules->enforce(rule(), {Enforcement::Mode::off, 100});
  admit();
  CHECK(passes());
  CHECK(store.asked.empty());
  rules->enforce(rule(), {Enforcement::Mode::shadow, 100});
  admit(store::InFlight{});
  CHECK(admission->shadow == Decision::in_flight);
  rules->enforce(rule(), {Enforcement::Mode::enforce, 100});
  admit(store::InFlight{});
  CHECK(reply().decision == Decision::in_flight);
}

}  // namespace
}  // namespace onceproxy::gate
