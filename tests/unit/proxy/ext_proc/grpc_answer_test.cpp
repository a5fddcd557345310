#include "proxy/ext_proc/grpc_answer.hpp"

#include <catch2/catch.hpp>

#include "call_fixture.hpp"

namespace onceproxy::ext_proc {
namespace {

using testing::Fixture;
using testing::set_to;

GrpcKind kind_of(std::string_view content_type) {
  http::ResponseHead head;
  head.fields = {{"Content-Type", content_type}};
  return grpc_kind(head);
}

struct GrpcFixture : Fixture {
  static ProcessingRequest head(bool end_of_stream, testing::Fields more = {}) {
    ProcessingRequest message = response_head("200", end_of_stream, "via_upstream", 1, more);
    HeaderMap& fields = *message.mutable_response_headers()->mutable_headers();
    fields.mutable_headers(1)->set_raw_value("application/grpc");
    return message;
  }
  /// `status`: empty for none.
  static ProcessingRequest trailers(const std::string& status) {
    ProcessingRequest message;
    HeaderMap& fields = *message.mutable_response_trailers()->mutable_trailers();
    testing::fill(fields, {{"x-other", "y"}});
    if (!status.empty()) testing::fill(fields, {{"grpc-status", status}});
    return message;
  }
};

TEST_CASE("gRPC is known by its content type, with any message format") {
  CHECK(kind_of("application/grpc") == GrpcKind::grpc);
  CHECK(kind_of("Application/gRPC+proto") == GrpcKind::grpc);
  CHECK(kind_of("application/grpc;charset=utf-8") == GrpcKind::grpc);
  CHECK(kind_of("application/grpc-web+proto") == GrpcKind::web);
  CHECK(kind_of("application/grp") == GrpcKind::none);
  CHECK(kind_of("application/json") == GrpcKind::none);
}

TEST_CASE("a status of gRPC has a status of HTTP") {
  CHECK(status_of_grpc("0") == 200);
  CHECK(status_of_grpc("1") == 504);
  CHECK(status_of_grpc("4") == 504);
  CHECK(status_of_grpc("5") == 404);
  CHECK(status_of_grpc("8") == 502);
  CHECK(status_of_grpc("13") == 500);
  CHECK(status_of_grpc("14") == 502);
  CHECK(status_of_grpc("16") == 401);
  for (const char* none : {"", "17", "-1", "x", "0x", "99999999999999999999999"}) {
    CHECK(status_of_grpc(none) == 502);
  }
  CHECK(status_of_grpc(std::nullopt) == 502);
}

TEST_CASE_METHOD(GrpcFixture, "a gRPC answer is settled by the status in its trailers") {
  struct Row {
    std::string grpc_status;
    std::string verb;
    int status;
  };
  const auto row = GENERATE(Row{"0", "complete", 200}, Row{"3", "complete", 400},
                            Row{"13", "release", 500}, Row{"14", "mark_unknown", 502},
                            Row{"4", "mark_unknown", 504}, Row{"", "mark_unknown", 502});
  CAPTURE(row.grpc_status);
  policy.outcome.ambiguous.add(504);
  forward();
  envoy.tell(head(false));
  CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
        "forwarded");
  CHECK_FALSE(last().has_mode_override());
  envoy.tell(response_body("message", false));
  CHECK(last_verb() == "reserve");
  store.at_once = false;
  const std::size_t said = envoy.said.size();
  envoy.tell(trailers(row.grpc_status));
  CHECK(last_verb() == row.verb);
  CHECK(envoy.said.size() == said);
  if (row.verb == "complete") {
    CHECK(store.asked.back().answer.status == row.status);
    CHECK_FALSE(store.asked.back().answer.replayable);
    CHECK(store.asked.back().answer.not_kept == store::NotKept::stream);
  }
  store.answer_now();
  CHECK(last().has_response_trailers());
  CHECK(over);
  CHECK(requests("forwarded") == 1);
}

TEST_CASE_METHOD(GrpcFixture, "a gRPC answer that is a head alone is settled by the status in it") {
  SECTION("a failure") {
    forward();
    envoy.tell(head(true, {{"grpc-status", "13"}}));
    CHECK(last_verb() == "release");
  }
  SECTION("a success") {
    forward();
    envoy.tell(head(true, {{"grpc-status", "0"}}));
    CHECK(last_verb() == "complete");
    CHECK_FALSE(store.asked.back().answer.replayable);
  }
  SECTION("no status") {
    forward();
    envoy.tell(head(true));
    CHECK(last_verb() == "mark_unknown");
  }
  CHECK(last().has_response_headers());
  CHECK(over);
}

TEST_CASE_METHOD(GrpcFixture, "a gRPC answer that has no trailers, or no end, says nothing") {
  forward();
  envoy.tell(head(false));
  SECTION("no trailers") {
    envoy.tell(response_body("message", true));
  }
  SECTION("cut off") {
    envoy.tell(response_body("message", false));
    envoy.reset();
  }
  CHECK(last_verb() == "mark_unknown");
  CHECK(over);
}

TEST_CASE_METHOD(GrpcFixture, "rules may ask for the status of gRPC, wherever it is") {
  policies::OutcomeRule rule;
  rule.is = policies::Verdict::release;
  policies::Condition& condition = rule.where.emplace_back();
  condition.selector = policies::test::selector(policies::Source::header, "grpc-status");
  condition.any_of = {"3"};
  policy.outcome.rules.push_back(rule);
  forward();
  SECTION("in the head") {
    envoy.tell(head(true, {{"grpc-status", "3"}}));
  }
  SECTION("in the trailers") {
    envoy.tell(head(false));
    envoy.tell(trailers("3"));
  }
  CHECK(last_verb() == "release");
  CHECK(over);
}

TEST_CASE_METHOD(GrpcFixture, "a completion of gRPC that cannot be stored never looks like one") {
  forward();
  envoy.tell(head(false));
  envoy.tell(response_body("message", false));
  store.settled = store::Settled::failed;
  envoy.tell(trailers("0"));
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == grpc::StatusCode::unavailable);
  CHECK_FALSE(last().has_response_trailers());
  CHECK(over);
}

}  // namespace
}  // namespace onceproxy::ext_proc
