#include "proxy/ext_proc/replies.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::ext_proc {
namespace {

TEST_CASE("Fields are written once, as bytes, in lower case, and in both of Envoy's ways") {
  HeaderMutation changes;
  set_field(changes, "X-One", "1");
  add_field(changes, "X-One", "2");
  remove_field(changes, "X-Two");
  REQUIRE(changes.set_headers_size() == 2);
  CHECK(changes.set_headers(0).header().key() == "x-one");
  CHECK(changes.set_headers(0).header().raw_value() == "1");
  CHECK(changes.set_headers(0).header().value().empty());
  CHECK_FALSE(changes.set_headers(0).append().value());
  CHECK(changes.set_headers(0).append_action() == HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  CHECK(changes.set_headers(1).append().value());
  CHECK(changes.set_headers(1).append_action() == HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  CHECK(changes.remove_headers(0) == "x-two");
}

TEST_CASE("An answer at once leaves out what Envoy does by itself") {
  gate::Answer answer;
  answer.status = 409;
  answer.head = "Content-Type: text/x\r\nx-envoy-a: 1\r\nContent-Length: 9\r\nRetry-After: 1\r\n";
  ProcessingResponse reply;
  answer_at_once(answer, "r-1", gate::Decided(gate::Decision::in_flight), "why", reply);
  std::vector<std::string> names;
  for (const auto& option : reply.immediate_response().headers().set_headers()) {
    names.push_back(option.header().key());
  }
  CHECK(names == std::vector<std::string>{"content-type", "retry-after", "x-request-id",
                                          "onceproxy-decision"});
  CHECK(reply.immediate_response().details() == "why");
}

TEST_CASE("A reply is of its message's kind, and changes what that is about") {
  ProcessingRequest heard;
  ProcessingResponse reply;
  heard.mutable_response_trailers();
  let_go_on(heard, reply);
  set_field(changes_of(reply), "a", "b");
  CHECK(reply.response_trailers().header_mutation().set_headers_size() == 1);
  reply.Clear();
  heard.mutable_request_body();
  let_go_on(heard, reply);
  set_field(changes_of(reply), "a", "b");
  CHECK(reply.request_body().response().header_mutation().set_headers_size() == 1);
}

}  // namespace
}  // namespace onceproxy::ext_proc
