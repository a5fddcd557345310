#include "proxy/gate/answer.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr const char* problem_type = "Content-Type: application/problem+json\r\n";

TEST_CASE("each refusal has its status, its type and its words") {
  struct Case {
    Answer answer;
    int status;
    std::string retry_after;
    std::string body;
  };
  const Case cases[] = {
      {in_flight("Idempotency-Key"), 409, "1",
       R"({"type":"urn:onceproxy:problem:in-flight",)"
       R"("title":"A request is outstanding for this Idempotency-Key","status":409,)"
       R"("detail":"The first request for this operation has not been answered yet; retry later."})"},
      {in_flight(""), 409, "1",
       R"({"type":"urn:onceproxy:problem:in-flight",)"
       R"("title":"A request is outstanding for this operation","status":409,)"
       R"("detail":"The first request for this operation has not been answered yet; retry later."})"},
      {mismatch(""), 422, "",
       R"({"type":"urn:onceproxy:problem:key-reused",)"
       R"("title":"This operation was sent with another payload",)"
       R"("status":422,"detail":"This operation is known with another payload."})"},
      {mismatch("Idempotency-Key"), 422, "",
       R"({"type":"urn:onceproxy:problem:key-reused","title":"Idempotency-Key is already used",)"
       R"("status":422,"detail":"This operation is known with another payload."})"},
      {missing_key("", "body: /driver_id"), 400, "",
       R"({"type":"urn:onceproxy:problem:missing-key",)"
       R"("title":"A field that the operation needs is missing",)"
       R"("status":400,"detail":"The request lacks a field that names its operation: )"
       R"(body: /driver_id"})"},
      {missing_key("Idempotency-Key", "client_key: Idempotency-Key"), 400, "",
       R"({"type":"urn:onceproxy:problem:missing-key","title":"Idempotency-Key is missing",)"
       R"("status":400,"detail":"The request lacks a field that names its operation: )"
       R"(client_key: Idempotency-Key"})"},
      {bad_key("Idempotency-Key", "The key is empty."), 400, "",
       R"({"type":"urn:onceproxy:problem:bad-key","title":"Idempotency-Key is malformed",)"
       R"("status":400,"detail":"The key is empty."})"},
      {held(29s), 409, "29",
       R"({"type":"urn:onceproxy:problem:outcome-unknown",)"
       R"("title":"The outcome of this operation is unknown","status":409,)"
       R"("detail":"An earlier request for this operation was forwarded and its outcome is not )"
       R"(known; it may be sent again after its lease."})"},
      {held(std::nullopt), 409, "3600",
       R"({"type":"urn:onceproxy:problem:outcome-unknown",)"
       R"("title":"The outcome of this operation is unknown","status":409,)"
       R"("detail":"An earlier request for this operation was forwarded and its outcome is not )"
       R"(known; an operator has to resolve it."})"},
      {not_replayable(store::NotKept::too_large), 409, "",
       R"({"type":"urn:onceproxy:problem:not-replayable",)"
       R"("title":"The answer was too large to keep","status":409,)"
       R"("detail":"This operation was executed; its answer was too large to store and cannot )"
       R"(be replayed."})"},
      {not_replayable(store::NotKept::stream), 409, "",
       R"({"type":"urn:onceproxy:problem:not-replayable",)"
       R"("title":"The answer was not kept","status":409,)"
       R"("detail":"This operation was done; its answer was a stream, or broke off on its way."})"},
      {not_replayable(store::NotKept::crowded), 409, "",
       R"({"type":"urn:onceproxy:problem:not-replayable",)"
       R"("title":"The answer was not kept","status":409,"detail":"This operation was done; )"
       R"(its answer was not stored, because too many arrived at once."})"},
      {not_replayable(store::NotKept::unwanted), 409, "",
       R"({"type":"urn:onceproxy:problem:not-replayable",)"
       R"("title":"The answer was not kept","status":409,"detail":"This operation was done )"
       R"(while the policy gave duplicates a fixed answer."})"},
      {not_replayable(store::NotKept::resolved), 409, "",
       R"({"type":"urn:onceproxy:problem:not-replayable",)"
       R"("title":"An operator resolved this operation as done","status":409,)"
       R"("detail":"The outcome of this operation was unknown until an operator marked it as )"
       R"(done; there is no answer to give again."})"},
      {busy("Wait."), 503, "1",
       R"({"type":"urn:onceproxy:problem:busy","title":"Too many requests are under way","status":503,)"
       R"("detail":"Wait."})"},
      {store_unavailable("Full."), 503, "1",
       R"({"type":"urn:onceproxy:problem:store-unavailable",)"
       R"("title":"The store is not available","status":503,"detail":"Full."})"},
      {upstream_unreachable("Refused."), 502, "",
       R"({"type":"urn:onceproxy:problem:upstream-unreachable",)"
       R"("title":"The upstream did not answer","status":502,"detail":"Refused."})"},
      {upstream_timeout("Late."), 504, "",
       R"({"type":"urn:onceproxy:problem:upstream-timeout",)"
       R"("title":"The upstream did not answer in time","status":504,"detail":"Late."})"},
  };
  for (const Case& each : cases) {
    INFO(each.body);
    CHECK(each.answer.status == each.status);
    CHECK(each.answer.body == each.body);
    CHECK(each.answer.head ==
          problem_type +
              (each.retry_after.empty() ? "" : "Retry-After: " + each.retry_after + "\r\n"));
    CHECK_FALSE(each.answer.dated);
  }
}

TEST_CASE("a bad request is told its status in words") {
  const std::pair<int, std::string> cases[] = {
      {400, "Bad Request"},     {405, "Method Not Allowed"},
      {408, "Request Timeout"}, {413, "Content Too Large"},
      {414, "URI Too Long"},    {431, "Request Header Fields Too Large"},
      {501, "Not Implemented"}, {505, "HTTP Version Not Supported"},
  };
  for (const auto& [status, title] : cases) {
    const Answer answer = bad_request(status, "No.");
    CHECK(answer.status == status);
    CHECK(answer.body == R"({"type":"urn:onceproxy:problem:bad-request","title":")" + title +
                             R"(","status":)" + std::to_string(status) + R"(,"detail":"No."})");
    // RFC 9110 15.5.6
    CHECK((answer.head.find("\r\nAllow: ") != std::string::npos) == (status == 405));
    CHECK(answer.head.ends_with("\r\n"));
  }
}

TEST_CASE("Retry-After is in whole seconds, rounded up, at least one") {
  const std::pair<std::chrono::milliseconds, std::string> cases[] = {
      {-5s, "1"},    {0ms, "1"},    {1ms, "1"},       {999ms, "1"}, {1000ms, "1"},
      {1001ms, "2"}, {1999ms, "2"}, {29'999ms, "30"}, {30s, "30"},  {7 * 24h, "604800"},
  };
  for (const auto& [left, seconds] : cases) {
    INFO(left.count());
    CHECK(held(left).head == problem_type + "Retry-After: "s + seconds + "\r\n");
  }
}

TEST_CASE("a detail never ends its string, stays on one line and is always valid UTF-8") {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain /text {}", "plain /text {}"},
      {"a\"b", "a\\\"b"},
      {"a\\b", "a\\\\b"},
      {"\\\"", "\\\\\\\""},
      {"\r\n\t\b", "\\r\\n\\t\\u0008"},
      {"\0"s, "\\u0000"},
      {"\x1f\x20\x7e\x7f", "\\u001f ~\\u007f"},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"\xe2\x82\xac\xf0\x9f\x9a\x95", "\xe2\x82\xac\xf0\x9f\x9a\x95"},
      {"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
       "\\u0080\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
      {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
      {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
      {"a\xffz", "a\xef\xbf\xbdz"},
      {"\x80", "\xef\xbf\xbd"},
      // Overlong, surrogates, beyond U+10FFFF.
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xc1\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xf5\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
      // Cut off, by the end or by a quote that must still be escaped.
      {"\xc3", "\xef\xbf\xbd"},
      {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xe2\x82\"", "\xef\xbf\xbd\xef\xbf\xbd\\\""},
      {"\xc3\"", "\xef\xbf\xbd\\\""},
      {"\xf0\x9f\x9a\n", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\n"},
  };
  for (const auto& [text, escaped] : cases) {
    INFO(escaped);
    CHECK(problem(400, "name", "Title", text).body ==
          R"({"type":"urn:onceproxy:problem:name","title":"Title","status":400,"detail":")" +
              escaped + R"("})");
  }
}

TEST_CASE("text from a client is escaped in a problem's detail") {
  const Answer answer =
      missing_key("", "header: x\",\"status\":200,\"y\":\"\r\n\r\nHTTP/1.1 200 OK");
  CHECK(answer.body.find('\n') == std::string::npos);
  CHECK(answer.body.ends_with(
      R"(operation: header: x\",\"status\":200,\"y\":\"\r\n\r\nHTTP/1.1 200 OK"})"));
}

TEST_CASE("a fixed answer is as it was written") {
  policies::FixedAnswer given;
  given.status = 202;
  given.headers = {{"content-type", "text/plain"}, {"X-A", ""}};
  given.body = "again";
  const Answer answer = fixed(given);
  CHECK(answer.status == 202);
  CHECK(answer.head == "content-type: text/plain\r\nX-A: \r\n");
  CHECK(answer.body == "again");
  CHECK_FALSE(answer.dated);
  given.headers = {{"dAtE", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  CHECK(fixed(given).dated);
  CHECK(fixed({}).head.empty());
}

TEST_CASE("every status that the proxy answers by itself has words") {
  for (const int status :
       {200, 202, 400, 405, 408, 409, 413, 414, 422, 429, 431, 501, 502, 503, 504, 505}) {
    INFO(status);
    CHECK_FALSE(reason_phrase(status).empty());
  }
  CHECK(reason_phrase(299).empty());
}

}  // namespace
}  // namespace onceproxy::gate
