// What the gate makes of an operation's outcome.
#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "gate_fixture.hpp"
#include "proxy/gate/gate.hpp"
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

TEST_CASE_METHOD(Fixture, "an answer completes the operation before the client has it") {
  store.at_once = GENERATE(true, false);
  const policies::Field fields[] = {{"Date", "x"},
                                    {"Content-Type", "text/plain"},
                                    {"SET-Cookie", "session=1"},
                                    {"X-Empty", ""},
                                    {"www-authenticate", "Basic"},
                                    {"Set-Cookie2", "a=b"},
                                    {"Authentication-Info", "x"},
                                    {"clear-site-data", "*"},
                                    {"Set-Cookie3", "kept"}};
  settle(Answered{201, fields, "body", true});
  CHECK(settlement->decision == Decision::forwarded);
  CHECK_FALSE(settlement->answer);
  REQUIRE(store.asked.size() == 1);
  CHECK(store.asked[0].verb == "complete");
  CHECK(store.asked[0].answer.status == 201);
  CHECK(store.asked[0].answer.replayable);
  CHECK(store.asked[0].answer.body == "body");
  CHECK(store.asked[0].answer.head ==
        "Date: x\r\nContent-Type: text/plain\r\nX-Empty: \r\nSet-Cookie3: kept\r\n");
}

TEST_CASE_METHOD(Fixture, "only what the policy drops is left out of a replay") {
  policy.replay.drop_headers = {"x-secret"};
  const policies::Field fields[] = {{"X-SECRET", "1"}, {"set-cookie", "a"}, {"set-cookie", "b"}};
  settle(Answered{200, fields, "", true});
  CHECK(store.asked[0].answer.head == "set-cookie: a\r\nset-cookie: b\r\n");
}

TEST_CASE_METHOD(Fixture, "a challenge that is kept is replayed whatever the policy drops") {
  policy.replay.drop_headers = {"www-authenticate", "proxy-authenticate"};
  const policies::Field fields[] = {{"WWW-Authenticate", "Basic"},
                                    {"proxy-Authenticate", "Digest"}};
  settle(Answered{401, fields, "", true});
  settle(Answered{407, fields, "", true});
  CHECK(store.asked[0].answer.head == "WWW-Authenticate: Basic\r\n");
  CHECK(store.asked[1].answer.head == "proxy-Authenticate: Digest\r\n");
}

TEST_CASE_METHOD(Fixture, "a completion ends what its policy says") {
  policies::EndsRule rule;
  rule.fingerprint = {policies::test::selector(Source::header, "x-other")};
  policy.ends = {rule};
  request.headers.push_back({"x-other", "k-2"});
  admit();
  Forward& forward = std::get<Forward>(admission->verdict);
  REQUIRE(forward.ends.size() == 1);
  const std::vector<store::Fingerprint> ends = forward.ends;
  CHECK(ends[0] != *admission->fingerprint);
  const policies::Field fields[] = {{"Date", "x"}};
  const Outcome outcome = Answered{200, fields, "body", true};
  start(testing::run_settle(gate, *rules, std::move(forward), outcome, settlement));
  REQUIRE(settlement);
  CHECK(store.asked.back().verb == "complete");
  CHECK(store.asked.back().ends == ends);
}

TEST_CASE_METHOD(Fixture, "a rule on the answer's body decides before its status") {
  policies::OutcomeRule rule;
  rule.where = {{policies::test::selector(Source::body, "/error"), {}, nullptr, true}};
  rule.is = policies::Verdict::release;
  policy.outcome.rules = {rule};
  const policies::Field fields[] = {{"Date", "x"}};
  settle(Answered{200, fields, R"({"error":1})", true});
  settle(Answered{200, fields, R"({"ok":1})", true});
  settle(Answered{503, fields, R"({"err)", false});
  CHECK(store.asked[0].verb == "release");
  CHECK(store.asked[1].verb == "complete");
  CHECK(store.asked[2].verb == "mark_unknown");
  CHECK(store.asked[2].error ==
        "a rule of outcome.rules could not be evaluated: The body is larger than what is kept of "
        "it.");
}

TEST_CASE_METHOD(Fixture, "an answer that is not whole is remembered without being kept") {
  const policies::Field fields[] = {{"Date", "x"}};
  settle(Answered{200, fields, "the beginn", false, store::NotKept::stream});
  CHECK(settlement->decision == Decision::forwarded);
  CHECK(store.asked[0].verb == "complete");
  CHECK_FALSE(store.asked[0].answer.replayable);
  CHECK(store.asked[0].answer.not_kept == store::NotKept::stream);
  CHECK(store.asked[0].answer.status == 200);
  CHECK(store.asked[0].answer.head.empty());
  CHECK(store.asked[0].answer.body.empty());
}

TEST_CASE_METHOD(Fixture, "a policy with a fixed answer keeps nobody's answer") {
  policy.on_duplicate = policies::FixedAnswer{};
  settle_status(200);
  CHECK(store.asked[0].verb == "complete");
  CHECK_FALSE(store.asked[0].answer.replayable);
  CHECK(store.asked[0].answer.not_kept == store::NotKept::unwanted);
  CHECK(store.asked[0].answer.body.empty());
  CHECK(store.asked[0].answer.head.empty());
}

TEST_CASE_METHOD(Fixture, "a status says whether the operation happened") {
  const std::pair<int, std::string> cases[] = {
      {200, "complete"}, {204, "complete"},     {302, "complete"}, {400, "complete"},
      {404, "complete"}, {429, "release"},      {500, "release"},  {503, "release"},
      {599, "release"},  {502, "mark_unknown"},
  };
  store.at_once = GENERATE(true, false);
  for (const auto& [status, verb] : cases) {
    INFO(status);
    store.asked.clear();
    settle_status(status);
    REQUIRE(store.asked.size() == 1);
    CHECK(store.asked[0].verb == verb);
    if (verb == "release") CHECK(store.asked[0].status == status);
    // Whatever it was, it is the client's.
    CHECK(settlement->decision == Decision::forwarded);
    CHECK_FALSE(settlement->answer);
  }
}

TEST_CASE_METHOD(Fixture, "a request that was never sent is released at once") {
  store.at_once = GENERATE(true, false);
  using Reason = NotSent::Reason;
  struct Case {
    Reason reason;
    Decision decision;
    int status;
    std::string_view problem;
  };
  for (const Case& each :
       {Case{Reason::unreachable, Decision::upstream_error, 502, "upstream-unreachable"},
        Case{Reason::timeout, Decision::upstream_error, 504, "upstream-timeout"},
        Case{Reason::busy, Decision::busy, 503, "busy"}}) {
    store.asked.clear();
    settle(NotSent{each.reason, "Why."});
    CHECK(store.asked.at(0).verb == "release");
    CHECK(store.asked.at(0).error == "Why.");
    CHECK(store.asked.at(0).status == 0);
    CHECK(settlement->decision == each.decision);
    REQUIRE(settlement->answer);
    CHECK(settlement->answer->status == each.status);
    CHECK(settlement->answer->body.find(each.problem) != std::string::npos);
    CHECK(settlement->answer->body.find("Why.") != std::string::npos);
  }
}

TEST_CASE_METHOD(Fixture, "a request that was sent and not answered has an unknown outcome") {
  store.at_once = GENERATE(true, false);
  for (const bool timeout : {false, true}) {
    store.asked.clear();
    settle(Unknown{timeout, "Why."});
    CHECK(store.asked.at(0).verb == "mark_unknown");
    CHECK(store.asked.at(0).error == "Why.");
    CHECK(settlement->decision == Decision::upstream_error);
    REQUIRE(settlement->answer);
    CHECK(settlement->answer->status == (timeout ? 504 : 502));
  }
}

TEST_CASE_METHOD(Fixture, "how an operation ended is counted") {
  const auto ended = [&](const std::string& outcome) {
    return telemetry::Exposition(metrics.exposition())
        .at(R"(onceproxy_operations_total{policy="dispatch",outcome=")" + outcome + "\"}");
  };
  settle_status(200);
  CHECK(ended("completed") == 1);
  settle_status(503);
  CHECK(ended("released") == 1);
  settle(NotSent{NotSent::Reason::unreachable, ""});
  CHECK(ended("not-sent") == 1);
  settle_status(502);
  settle(Unknown{true, ""});
  CHECK(ended("unknown") == 2);
  store.settled = Settled::failed;
  settle_status(200);
  CHECK(ended("unsaved") == 1);
  store.settled = Settled::refused;
  settle_status(200);
  CHECK(ended("unsaved") == 2);
  CHECK(ended("completed") == 1);
}

TEST_CASE_METHOD(Fixture, "no client is answered before its completion is stored") {
  policy.on_store_error = GENERATE(policies::OnStoreError::reject, policies::OnStoreError::forward);
  // Refused: another request may have been executed and answered meanwhile.
  store.settled = GENERATE(Settled::failed, Settled::refused);
  settle_status(200);
  CHECK(settlement->decision == Decision::store_error);
  REQUIRE(settlement->answer);
  CHECK(settlement->answer->status == 503);
  CHECK(settlement->answer->body.find("store-unavailable") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a release or an unknown outcome that is not stored changes no answer") {
  store.settled = Settled::failed;
  for (const int status : {503, 502}) {
    settle_status(status);
    CHECK(settlement->decision == Decision::forwarded);
    CHECK_FALSE(settlement->answer);
  }
  settle(NotSent{NotSent::Reason::unreachable, ""});
  CHECK(settlement->answer->status == 502);
  settle(Unknown{true, ""});
  CHECK(settlement->answer->status == 504);
}

TEST_CASE_METHOD(Fixture, "a permit that comes too late is counted, and nothing is told as done") {
  store.settled = Settled::refused;
  settle_status(200);
  REQUIRE(settlement->answer);
  CHECK(settlement->answer->body.find("reservation had ended") != std::string::npos);
  CHECK(count("onceproxy_permits_refused_total") == 1);
  settle_status(503);
  CHECK(settlement->decision == Decision::forwarded);
  CHECK_FALSE(settlement->answer);
  settle(Unknown{false, ""});
  CHECK(count("onceproxy_permits_refused_total") == 3);
}

}  // namespace
}  // namespace onceproxy::gate
