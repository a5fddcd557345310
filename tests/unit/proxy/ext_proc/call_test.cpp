#include "proxy/ext_proc/call.hpp"

#include <catch2/catch.hpp>

#include "call_fixture.hpp"
#include "policies/select.hpp"

namespace onceproxy::ext_proc {
namespace {

using grpc::StatusCode;
using testing::Fixture;
using testing::removes;
using testing::set_to;
using namespace std::chrono_literals;

TEST_CASE_METHOD(Fixture, "a request no policy covers goes on, and Envoy is asked for nothing") {
  begin();
  ProcessingRequest message = request_head(false, {{"onceproxy-fence", "9"}});
  message.mutable_request_headers()->mutable_headers()->mutable_headers(1)->set_raw_value("/other");
  envoy.tell(message);
  REQUIRE(envoy.said.size() == 1);
  REQUIRE(last().has_request_headers());
  CHECK_FALSE(last().has_mode_override());
  CHECK(removes(last().request_headers().response().header_mutation(), "onceproxy-fence"));
  CHECK(store.asked.empty());
  envoy.end();
  CHECK(over);
  CHECK(envoy.finished->code == StatusCode::ok);
}

TEST_CASE_METHOD(Fixture, "a covered request is decided about when its body is there") {
  begin();
  envoy.tell(request_head(false));
  REQUIRE(envoy.said.size() == 1);
  REQUIRE(last().has_request_headers());
  const ProcessingMode& mode = last().mode_override();
  CHECK(mode.request_body_mode() == ProcessingMode::BUFFERED);
  CHECK(mode.request_trailer_mode() == ProcessingMode::SEND);
  CHECK(mode.response_header_mode() == ProcessingMode::SEND);
  CHECK(mode.response_body_mode() == ProcessingMode::STREAMED);
  CHECK(mode.response_trailer_mode() == ProcessingMode::SEND);
  CHECK(store.asked.empty());

  envoy.tell(request_body("{}"));
  REQUIRE(envoy.said.size() == 2);
  REQUIRE(last().has_request_body());
  const HeaderMutation& changes = last().request_body().response().header_mutation();
  CHECK(set_to(changes, "onceproxy-fence") == "42");
  CHECK(set_to(changes, "onceproxy-fingerprint") == store.asked.at(0).fingerprint.hex());
  CHECK(store.asked.at(0).request_id == "r-1");
}

TEST_CASE_METHOD(Fixture, "an operation has one fingerprint through both ports") {
  request.target = "/pay?x=1";
  request.headers = {{"Host", "service.example"}, {"Idempotency-Key", "k-1"}};
  const policies::RequestView view = request.view();
  policies::Document document(view, request.body, 1000);
  const auto operation = policies::select_operation(rule(), view, document);
  REQUIRE(operation);
  forward();
  CHECK(store.asked.at(0).fingerprint == operation->fingerprint);
  CHECK(store.asked.at(0).payload == operation->payload);
}

TEST_CASE_METHOD(Fixture, "without a body the head decides, and everything is asked for then") {
  begin();
  envoy.tell(request_head(true));
  REQUIRE(envoy.said.size() == 1);
  REQUIRE(last().has_request_headers());
  CHECK(last().mode_override().response_body_mode() == ProcessingMode::STREAMED);
  CHECK(set_to(last().request_headers().response().header_mutation(), "onceproxy-fence") == "42");
}

TEST_CASE_METHOD(Fixture, "a completed operation is answered at once") {
  store.result.emplace(store::Completed{
      {201, "Content-Type: text/csv\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: x\r\n", "body",
       true},
      clock.now()});
  begin();
  envoy.tell(request_head(false));
  envoy.tell(request_body("{}"));
  const ImmediateResponse& answer = immediate();
  CHECK(answer.status().code() == 201);
  CHECK(answer.body() == "body");
  CHECK(answer.details() == "onceproxy_replayed");
  CHECK(set_to(answer.headers(), "onceproxy-decision") == "replayed");
  CHECK(set_to(answer.headers(), "idempotent-replayed") == "true");
  CHECK(set_to(answer.headers(), "content-type") == "text/csv");
  CHECK(set_to(answer.headers(), "x-request-id") == "r-1");
  std::vector<bool> appended;
  for (const HeaderValueOption& option : answer.headers().set_headers()) {
    CHECK(option.header().value().empty());
    if (option.header().key() == "set-cookie") appended.push_back(option.append().value());
  }
  CHECK(appended == std::vector<bool>{false, true});
  CHECK(over);
  CHECK(requests("replayed") == 1);
}

TEST_CASE_METHOD(Fixture, "a refusal is answered at once, as through the data port") {
  store.result.emplace(store::InFlight{});
  begin();
  envoy.tell(request_head(false));
  envoy.tell(request_body("{}"));
  CHECK(immediate().status().code() == 409);
  CHECK(set_to(immediate().headers(), "retry-after") == "1");
  CHECK(set_to(immediate().headers(), "content-type") == "application/problem+json");
  CHECK(requests("in-flight") == 1);
}

TEST_CASE_METHOD(Fixture, "Envoy's patience is asked for while a request waits") {
  policy.in_flight = {policies::InFlightRule::Action::wait, 7s};
  store.at_once = false;
  begin();
  envoy.tell(request_head(false));
  envoy.tell(request_body("{}"));
  REQUIRE(envoy.said.size() == 1);
  test_loop.expire();
  REQUIRE(envoy.said.size() == 2);
  // With the time for the reply itself, and for a turn.
  CHECK(last().override_message_timeout().seconds() == 7 + 10 + 1);
  CHECK(last().response_case() == ProcessingResponse::RESPONSE_NOT_SET);
  store.answer_now();
  REQUIRE(envoy.said.size() == 3);
  CHECK(last().has_request_body());
}

TEST_CASE_METHOD(Fixture, "the longest wait of a policy's overrides counts, up to Envoy's limit") {
  const std::chrono::milliseconds wait = GENERATE(30s, 2h);
  policies::Policy longer = policy;
  longer.in_flight = {policies::InFlightRule::Action::wait, wait};
  policies::Override& one = policy.overrides.emplace_back();
  one.policy = std::make_shared<const policies::Policy>(longer);
  store.at_once = false;
  begin();
  envoy.tell(request_head(true));
  test_loop.expire();
  CHECK(last().override_message_timeout().seconds() == (wait == 30s ? 30 + 10 + 1 : 3600));
  store.answer_now();
}

TEST_CASE_METHOD(Fixture, "what Envoy gives up before it was told to forward is released") {
  store.at_once = false;
  begin();
  envoy.tell(request_head(false));
  envoy.tell(request_body("{}"));
  envoy.reset();
  store.answer_now();
  REQUIRE(store.somebody_waits());
  store.answer_now();
  CHECK(last_verb() == "release");
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "Envoy is not told to forward under a lease that has ended") {
  SECTION("and the call was told so") {
    store.leases_ended = true;
  }
  SECTION("and nobody was told yet") {
    store.leases_ended_untold = true;
  }
  begin();
  envoy.tell(request_head(false));
  envoy.tell(request_body("{}"));
  CHECK(envoy.said.size() == 1);
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::unavailable);
  CHECK(last_verb() == "release");
  CHECK(over);
  CHECK(requests("upstream-error") == 1);
}

TEST_CASE_METHOD(Fixture, "in shadow mode a lease that has ended ends no request") {
  store.leases_ended = GENERATE(true, false);
  store.leases_ended_untold = !store.leases_ended;
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  forward();
  CHECK_FALSE(envoy.finished);
}

TEST_CASE_METHOD(Fixture, "a path that could walk round a policy is refused") {
  begin();
  ProcessingRequest message = request_head(false);
  message.mutable_request_headers()->mutable_headers()->mutable_headers(1)->set_raw_value("/a%2fb");
  envoy.tell(message);
  CHECK(immediate().status().code() == 400);
  CHECK(set_to(immediate().headers(), "onceproxy-decision") == "bad-request");
}

TEST_CASE_METHOD(Fixture, "a field cannot break out of its line") {
  begin();
  envoy.tell(request_head(false, {{"x-a", "1\r\nidempotency-key: other"}}));
  CHECK(immediate().status().code() == 400);
}

TEST_CASE_METHOD(Fixture, "bodies have their limit and their length") {
  SECTION("too large") {
    options.limits.body_bytes = 10;
    begin();
    envoy.tell(request_head(false));
    envoy.tell(request_body("12345678901"));
    CHECK(immediate().status().code() == 413);
  }
  SECTION("announced as too large") {
    options.limits.body_bytes = 10;
    begin();
    envoy.tell(request_head(false, {{"content-length", "11"}}));
    CHECK(immediate().status().code() == 413);
  }
  SECTION("shorter than announced") {
    begin();
    envoy.tell(request_head(false, {{"content-length", "3"}}));
    envoy.tell(request_body("{}"));
    CHECK(immediate().status().code() == 400);
  }
  SECTION("trailers without a body") {
    begin();
    envoy.tell(request_head(false));
    ProcessingRequest trailers;
    trailers.mutable_request_trailers();
    envoy.tell(trailers);
    CHECK(immediate().status().code() == 400);
  }
  CHECK(store.asked.empty());
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "a configuration under which nothing can be enforced is refused") {
  begin();
  ProcessingRequest message = request_head(false);
  SECTION("the body comes without being asked for") {
    message.mutable_protocol_config()->set_send_body_without_waiting_for_header_response(true);
  }
  SECTION("the body comes in pieces") {
    message.mutable_protocol_config()->set_request_body_mode(ProcessingMode::STREAMED);
  }
  SECTION("the body of the answer needs replies of another kind") {
    message.mutable_protocol_config()->set_response_body_mode(
        GENERATE(ProcessingMode::FULL_DUPLEX_STREAMED, ProcessingMode::GRPC));
  }
  SECTION("Envoy only lets see") {
    message.set_observability_mode(true);
  }
  envoy.tell(message);
  CHECK(envoy.said.empty());
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::failed_precondition);
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "a mode of the answer's body that can be overridden is no hindrance") {
  begin();
  ProcessingRequest message = request_head(false);
  message.mutable_protocol_config()->set_response_body_mode(
      GENERATE(ProcessingMode::NONE, ProcessingMode::STREAMED, ProcessingMode::BUFFERED,
               ProcessingMode::BUFFERED_PARTIAL));
  envoy.tell(message);
  CHECK(last().has_mode_override());
}

TEST_CASE_METHOD(Fixture, "a policy in shadow mode watches what Envoy lets see") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  begin();
  const auto watched = [](ProcessingRequest message) {
    message.set_observability_mode(true);
    return message;
  };
  envoy.tell(watched(request_head(false)));
  envoy.tell(watched(request_body("{", false)));
  envoy.tell(watched(request_body("}", true)));
  CHECK(last_verb() == "reserve");
  envoy.tell(watched(response_head("200")));
  envoy.tell(watched(response_body("done", true)));
  CHECK(last_verb() == "complete");
  CHECK(store.asked.back().answer.body == "done");
  envoy.end();
  CHECK(envoy.said.empty());
  CHECK(over);
}

TEST_CASE_METHOD(Fixture,
                 "a malformed head that Envoy forwards anyway is reported, and no defect") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  begin();
  ProcessingRequest message = request_head(true);
  message.mutable_request_headers()->mutable_headers()->mutable_headers(1)->set_raw_value("/a%2fb");
  message.set_observability_mode(true);
  envoy.tell(message);
  CHECK_FALSE(over);
  ProcessingRequest answer = response_head("200", true);
  answer.set_observability_mode(true);
  envoy.tell(answer);
  envoy.end();
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::ok);
  CHECK(over);
  CHECK(refused("encoded-delimiter") == 1);
  CHECK(uncovered("passed") == 1);
}

TEST_CASE_METHOD(Fixture, "what is no message of this service ends the stream with an error") {
  begin();
  SECTION("no protobuf") {
    envoy.tell(std::string("\xff\xff\xff"));
  }
  SECTION("nothing that is known") {
    envoy.tell(ProcessingRequest());
  }
  SECTION("a phase that was not asked for") {
    envoy.tell(request_head(false));
    envoy.tell(response_body("x", true));
  }
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::invalid_argument);
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "an attribute need not be UTF-8") {
  begin();
  ProcessingRequest message = request_head(false);
  AttributesEntry& told = *message.add_attributes();
  told.set_key("envoy.filters.http.ext_proc");
  attribute(told, "request.path").set_string_value("/\xff");
  envoy.tell(message);
  CHECK(last().has_request_headers());
}

TEST_CASE_METHOD(Fixture, "fields that are not known are skipped") {
  begin();
  // Field 20, a varint.
  envoy.tell(request_head(false).SerializeAsString() + std::string("\xa0\x01\x07", 3));
  REQUIRE(envoy.said.size() == 1);
}

TEST_CASE_METHOD(Fixture, "an answer whose request never came by goes on") {
  begin();
  envoy.tell(response_head("400", false, "http1.codec_error"));
  REQUIRE(last().has_response_headers());
  envoy.end();
  CHECK(over);
}

TEST_CASE_METHOD(Fixture, "a filter that sends no heads of requests is refused") {
  SECTION("the body comes first") {
    begin();
    envoy.tell(request_body("{}"));
  }
  SECTION("the trailers come first") {
    begin();
    ProcessingRequest trailers;
    trailers.mutable_request_trailers();
    envoy.tell(trailers);
  }
  CHECK(envoy.said.empty());
  REQUIRE(envoy.finished);
  CHECK(envoy.finished->code == StatusCode::failed_precondition);
  CHECK(over);
  CHECK(uncovered("bad-request") == 1);
  CHECK(refused("envoy-configuration") == 1);
}

TEST_CASE_METHOD(Fixture, "without heads, policies in shadow mode let everything pass") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  begin();
  envoy.tell(request_body("{}"));
  CHECK(last().has_request_body());
  envoy.end();
  CHECK(over);
  CHECK(refused("envoy-configuration") == 0);
}

TEST_CASE_METHOD(Fixture, "an answer of the service to a request that was not seen is reported") {
  begin();
  envoy.tell(response_head("200"));
  CHECK(last().has_response_headers());
  envoy.end();
  CHECK(over);
  CHECK(uncovered("passed") == 1);
  CHECK(refused("envoy-configuration") == 1);
}

TEST_CASE_METHOD(Fixture, "a request that is forwarded without a decision is reported as passed") {
  begin();
  envoy.tell(request_head(false));
  // Envoy does not allow mode_override, so its next message is the service's answer.
  envoy.tell(response_head("200"));
  REQUIRE(last().has_response_headers());
  CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
        "passed");
  envoy.end();
  CHECK(over);
  CHECK(requests("passed") == 1);
  CHECK(refused("envoy-configuration") == 1);
}

TEST_CASE_METHOD(Fixture,
                 "a request that is forwarded without a decision or attributes is reported") {
  ProcessingRequest answer =
      response_head("200", false, "", 1, {{"x-envoy-upstream-service-time", "3"}});
  answer.clear_attributes();
  begin();
  SECTION("its body was requested") {
    envoy.tell(request_head(false));
    envoy.tell(answer);
    CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
          "passed");
    CHECK(requests("passed") == 1);
  }
  SECTION("its head was not sent") {
    envoy.tell(answer);
    envoy.end();
    CHECK(uncovered("passed") == 1);
  }
  CHECK(refused("envoy-configuration") == 1);
}

TEST_CASE_METHOD(Fixture, "an answer of unknown origin does not say that its request was refused") {
  begin();
  envoy.tell(request_head(false));
  ProcessingRequest answer = response_head("200");
  answer.clear_attributes();
  envoy.tell(answer);
  CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
        "passed");
  CHECK(requests("passed") == 1);
  CHECK(refused("envoy-configuration") == 1);
}

TEST_CASE_METHOD(Fixture, "an early answer to a watched request is no fault of the configuration") {
  policy.enforcement.mode = policies::Enforcement::Mode::shadow;
  begin();
  const auto watched = [](ProcessingRequest message) {
    message.set_observability_mode(true);
    return message;
  };
  envoy.tell(watched(request_head(false)));
  envoy.tell(watched(request_body("{", false)));
  envoy.tell(watched(response_head("413", true)));
  envoy.end();
  CHECK(over);
  CHECK(requests("passed") == 1);
  CHECK(refused("envoy-configuration") == 0);
}

TEST_CASE_METHOD(Fixture, "an answer of Envoy's own instead of the body is a refused request") {
  begin();
  envoy.tell(request_head(false));
  envoy.tell(response_head("413", true, "request_payload_too_large"));
  CHECK(set_to(last().response_headers().response().header_mutation(), "onceproxy-decision") ==
        "bad-request");
  CHECK(over);
  CHECK(requests("bad-request") == 1);
  CHECK(refused("envoy-configuration") == 0);
}

TEST_CASE_METHOD(Fixture, "a client that leaves within its body reserves nothing") {
  begin();
  envoy.tell(request_head(false));
  envoy.reset();
  CHECK(over);
  CHECK(store.asked.empty());
  CHECK(requests("bad-request") == 1);
}

}  // namespace
}  // namespace onceproxy::ext_proc
