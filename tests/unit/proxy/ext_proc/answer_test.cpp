#include "proxy/ext_proc/answer.hpp"

#include <catch2/catch.hpp>

#include "call_fixture.hpp"

namespace onceproxy::ext_proc {
namespace {

using grpc::StatusCode;
using testing::Fixture;
using testing::removes;
using testing::set_to;
using namespace std::chrono_literals;

TEST_CASE_METHOD(Fixture, "an answer is stored whole, and its end waits for that") {
  forward();
  envoy.tell(response_head("201", false, "via_upstream", 1, {{"onceproxy-x", "forged"}}));
  REQUIRE(last().has_response_headers());
  const HeaderMutation& changes = last().response_headers().response().header_mutation();
  CHECK(set_to(changes, "onceproxy-decision") == "forwarded");
  CHECK(removes(changes, "onceproxy-x"));
  envoy.tell(response_body("one ", false));
  CHECK(last().has_response_body());
  CHECK(last_verb() == "reserve");

  store.at_once = false;
  const std::size_t said = envoy.said.size();
  envoy.tell(response_body("two", true));
  CHECK(envoy.said.size() == said);
  CHECK(last_verb() == "complete");
  CHECK(store.asked.back().answer.status == 201);
  CHECK(store.asked.back().answer.body == "one two");
  CHECK(store.asked.back().answer.replayable);
  CHECK(store.asked.back().answer.head.find("Date: ") != std::string::npos);
  CHECK(store.asked.back().answer.head.find("onceproxy-x") == std::string::npos);
  store.answer_now();
  REQUIRE(envoy.said.size() == said + 1);
  CHECK(last().has_response_body());
  // Nothing more can come: the stream has ended with that.
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::ok);
  CHECK(over);
  CHECK(requests("forwarded") == 1);
  CHECK(count("onceproxy_reservations_active") == 0);
}

TEST_CASE_METHOD(Fixture, "from its forward on, no message of a request is given up") {
  SECTION("with a reservation") {
    begin();
    envoy.tell(request_head(false));
    CHECK_FALSE(envoy.keeps_since);
    envoy.tell(request_body("{}"));
    // Before Envoy was told to forward.
    CHECK(envoy.keeps_since == 1);
  }
  SECTION("without a reservation") {
    store.result = store::InFlight{};
    policy.enforcement.mode = policies::Enforcement::Mode::shadow;
    forward();
    CHECK(envoy.keeps_since == 1);
  }
  SECTION("a request that no policy covers can be given up") {
    policy.match = policies::test::path_match("/other");
    begin();
    envoy.tell(request_head(false));
    CHECK(envoy.said.size() == 1);
    CHECK_FALSE(envoy.keeps_since);
  }
}

TEST_CASE_METHOD(Fixture, "an answer without a body waits for its completion with its head") {
  store.at_once = true;
  forward();
  store.at_once = false;
  envoy.tell(response_head("204", true));
  CHECK(last().has_request_body());
  store.answer_now();
  CHECK(last().has_response_headers());
  CHECK(envoy.finished);
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "an answer with trailers ends with them") {
  forward();
  envoy.tell(response_head("200"));
  envoy.tell(response_body("x", false));
  ProcessingRequest trailers;
  trailers.mutable_response_trailers();
  envoy.tell(trailers);
  CHECK(last_verb() == "complete");
  CHECK(last().has_response_trailers());
  CHECK(store.asked.back().answer.body == "x");
}

TEST_CASE_METHOD(Fixture, "a completion that cannot be stored never looks like one") {
  const auto settled = GENERATE(store::Settled::failed, store::Settled::refused);
  SECTION("nothing of the answer has gone out") {
    forward();
    store.settled = settled;
    envoy.tell(response_head("200", true));
    CHECK(immediate().status().code() == 503);
    CHECK(set_to(immediate().headers(), "onceproxy-decision") == "store-error");
  }
  SECTION("its head has gone out") {
    forward();
    store.settled = settled;
    envoy.tell(response_head("200"));
    envoy.tell(response_body("x", true));
    CHECK(last().has_response_headers());
    REQUIRE(envoy.finished);
    CHECK(envoy.finished->code == StatusCode::unavailable);
  }
  CHECK(over);
  CHECK(requests("store-error") == 1);
}

TEST_CASE_METHOD(Fixture,
                 "a stream that ends before the answer's head leaves the outcome unknown") {
  forward();
  SECTION("reset") {
    envoy.reset();
  }
  SECTION("ended") {
    envoy.end();
  }
  CHECK(last_verb() == "mark_unknown");
  CHECK(over);
  CHECK(requests("upstream-error") == 1);
}

TEST_CASE_METHOD(Fixture,
                 "an answer that breaks off has said what was done, unless a rule asks it") {
  SECTION("the status decides") {
    forward();
    envoy.tell(response_head("200"));
    envoy.tell(response_body("x", false));
    envoy.reset();
    CHECK(last_verb() == "complete");
    CHECK_FALSE(store.asked.back().answer.replayable);
  }
  SECTION("the status releases") {
    forward();
    envoy.tell(response_head("500"));
    envoy.reset();
    CHECK(last_verb() == "release");
  }
  SECTION("a rule would ask the body") {
    policy.outcome.rules.push_back({});
    forward();
    envoy.tell(response_head("200"));
    envoy.reset();
    CHECK(last_verb() == "mark_unknown");
  }
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "answers of Envoy's own do not count as the service's") {
  struct Row {
    std::string details;
    double attempts;
    std::string verb;
    int status;
  };
  const auto row = GENERATE(
      Row{"no_healthy_upstream", 0, "release", 502},
      Row{"no_healthy_upstream", 2, "mark_unknown", 502},
      Row{"upstream_reset_before_response_started{connection_failure|delayed_connect_error:_111}",
          1, "release", 502},
      Row{"upstream_reset_before_response_started{remote_connection_failure|x}", 1, "release", 502},
      Row{"upstream_reset_before_response_started{remote_connection_failure|x}", 2, "mark_unknown",
          502},
      Row{"upstream_reset_before_response_started{connection_termination}", 1, "mark_unknown", 502},
      Row{"response_timeout", 1, "mark_unknown", 504},
      Row{"something_new", 1, "mark_unknown", 502});
  CAPTURE(row.details, row.attempts);
  forward();
  envoy.tell(response_head("503", false, row.details, row.attempts));
  CHECK(last_verb() == row.verb);
  CHECK(immediate().status().code() == row.status);
  CHECK(set_to(immediate().headers(), "onceproxy-decision") == "upstream-error");
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "without the number of attempts, one of them may have been sent") {
  struct Row {
    std::string details;
    std::string verb;
  };
  const auto row = GENERATE(
      // A retry that finds no host says the same as a first attempt.
      Row{"no_healthy_upstream", "mark_unknown"},
      Row{"upstream_reset_before_response_started{connection_failure}", "mark_unknown"},
      Row{"route_not_found", "release"});
  CAPTURE(row.details);
  forward();
  ProcessingRequest head = response_head("503", false, row.details);
  head.mutable_attributes(0)->mutable_value()->mutable_fields()->RemoveLast();
  envoy.tell(head);
  CHECK(last_verb() == row.verb);
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "an answer that a route gives by itself goes on, and frees the key") {
  forward();
  envoy.tell(response_head("302", true, "direct_response", 0));
  CHECK(last_verb() == "release");
  REQUIRE(last().has_response_headers());
  CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
        "upstream-error");
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "without Envoy's details only what the service's time stands in is its") {
  forward();
  ProcessingRequest head = response_head("503");
  head.clear_attributes();
  SECTION("not there") {
    envoy.tell(head);
    CHECK(last_verb() == "mark_unknown");
  }
  SECTION("there") {
    testing::fill(*head.mutable_response_headers()->mutable_headers(),
                  {{"x-envoy-upstream-service-time", "3"}});
    head.mutable_response_headers()->set_end_of_stream(true);
    envoy.tell(head);
    CHECK(last_verb() == "release");
  }
}

TEST_CASE_METHOD(Fixture, "what is not kept is completed before it goes on") {
  policy.replay.body_bytes_max = 4;
  SECTION("larger than announced to be kept") {
    forward();
    envoy.tell(response_head("200"));
    envoy.tell(response_body("12345", false));
    CHECK(store.asked.back().answer.not_kept == store::NotKept::too_large);
  }
  SECTION("announced as larger") {
    forward();
    envoy.tell(response_head("200", false, "via_upstream", 1, {{"content-length", "5"}}));
    CHECK(store.asked.back().answer.not_kept == store::NotKept::too_large);
    REQUIRE(last().has_response_headers());
    CHECK(last().mode_override().request_body_mode() == ProcessingMode::BUFFERED);
    CHECK(last().mode_override().response_body_mode() == ProcessingMode::NONE);
    CHECK(last().mode_override().response_trailer_mode() == ProcessingMode::SKIP);
  }
  SECTION("no room for it") {
    answers.set_limit(2);
    forward();
    envoy.tell(response_head("200"));
    envoy.tell(response_body("123", false));
    CHECK(store.asked.back().answer.not_kept == store::NotKept::crowded);
  }
  CHECK(last_verb() == "complete");
  CHECK_FALSE(store.asked.back().answer.replayable);
  CHECK_FALSE(over);
  // An Envoy that is not allowed that mode goes on telling.
  const std::size_t said = envoy.said.size();
  envoy.tell(response_body("more", true));
  CHECK(envoy.said.size() == said + 1);
  CHECK(last().has_response_body());
  CHECK(over);
}

TEST_CASE_METHOD(Fixture,
                 "a message out of its phase ends the stream, and the outcome is unknown") {
  forward();
  envoy.tell(request_head(true));
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::invalid_argument);
  CHECK(last_verb() == "mark_unknown");
  CHECK(over);
}

TEST_CASE_METHOD(Fixture,
                 "Envoy has to cancel a forward whose lease ends, and nothing is settled") {
  store.leases_may_end_later = true;
  forward();
  SECTION("before the answer") {
    store.settled = store::Settled::refused;
    store.end_lease();
    CHECK(last_verb() == "mark_unknown");
    CHECK(requests("upstream-error") == 1);
  }
  SECTION("within the answer") {
    envoy.tell(response_head("200"));
    envoy.tell(response_body("x", false));
    store.settled = store::Settled::refused;
    store.end_lease();
    CHECK(last_verb() == "complete");
    CHECK_FALSE(store.asked.back().answer.replayable);
  }
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::unavailable);
  CHECK(count("onceproxy_permits_refused_total") == 1);
  CHECK(count("onceproxy_reservations_active") == 0);
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "a lease that ends while the completion is stored ends no stream") {
  store.leases_may_end_later = true;
  forward();
  envoy.tell(response_head("200"));
  store.at_once = false;
  envoy.tell(response_body("x", true));
  store.end_lease();
  CHECK_FALSE(envoy.finished);
  store.answer_now();
  CHECK(last().has_response_body());
  CHECK(envoy.finished->code == StatusCode::ok);
}

TEST_CASE_METHOD(Fixture, "a watched request gets Envoy's own answer") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  forward();
  envoy.tell(response_head("503", true, "no_healthy_upstream", 0));
  CHECK(last_verb() == "release");
  REQUIRE(last().has_response_headers());
}

}  // namespace
}  // namespace onceproxy::ext_proc
