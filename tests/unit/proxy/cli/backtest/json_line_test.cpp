#include "proxy/cli/backtest/json_line.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::backtest {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

LoggedRequest good(const std::string& more) {
  const auto request =
      read_json_line(R"({"time":1767323045,"method":"POST","target":"/a?b=1")" + more + "}");
  INFO(more);
  if (!request) FAIL(request.error());
  return *request;
}

std::string why(const std::string& line) {
  const auto request = read_json_line(line);
  return request ? "" : request.error();
}

TEST_CASE("a line is a request with the answer that the log tells") {
  const LoggedRequest request = good(
      R"(,"headers":{"A":"1"},"body":"x\ny","status":201,"duration_ms":12.5,"response_bytes":7,)"
      R"("user":{"unknown":["fields","are","ignored"]})");
  CHECK(moment_text(request.time) == "2026-01-02T03:04:05.000Z");
  CHECK(request.method == "POST");
  CHECK(request.target == "/a?b=1");
  CHECK(request.headers == Headers{{"A", "1"}});
  CHECK(request.body == "x\ny");
  CHECK(request.body_is_decoded);
  CHECK(request.status == 201);
  CHECK(request.duration == std::chrono::microseconds{12'500});
  CHECK(request.response_bytes == 7);
}

TEST_CASE("values that the log does not contain stay unknown") {
  const LoggedRequest request = good("");
  CHECK(request.headers.empty());
  CHECK(request.body.empty());
  CHECK_FALSE(request.status);
  CHECK(request.duration.count() == 0);
  CHECK_FALSE(request.response_bytes);
  CHECK_FALSE(good(R"(,"status":null,"duration_ms":null,"headers":null,"body":null)").status);
}

TEST_CASE("a status of 0 says that no answer came") {
  CHECK(good(R"(,"status":0)").status == 0);
}

TEST_CASE("headers are an object, pairs, or objects with name and value") {
  const Headers expected{{"A", "1"}, {"A", "2"}, {"b", "3"}};
  CHECK(good(R"(,"headers":[["A","1"],["A",2],["b","3"]])").headers == expected);
  CHECK(good(R"(,"headers":[{"name":"A","value":"1"},{"name":"A","value":"2"},)"
             R"({"name":"b","value":"3"},{"name":":path","value":"/"}])")
            .headers == expected);
  // An object's members are in the order of their names.
  CHECK(good(R"(,"headers":{"b":3,"A":["1","2"]})").headers == expected);
}

TEST_CASE("a body is text, base64, or JSON itself") {
  CHECK(good(R"(,"body":"")").body.empty());
  const LoggedRequest encoded = good(R"(,"body_base64":"H4s=")");
  CHECK(encoded.body == "\x1f\x8b");
  CHECK_FALSE(encoded.body_is_decoded);
  CHECK(good(R"(,"body":{"b":[1.0,null],"a":"x"})").body == R"({"a":"x","b":[1,null]})");
}

TEST_CASE("a line tells whether the service was reached, and of a body that was left out") {
  CHECK(good("").sent);
  CHECK_FALSE(good(R"(,"sent":false)").sent);
  CHECK(good(R"(,"sent":null)").sent);
  CHECK(good(R"(,"body_bytes":7)").body_left_out);
  CHECK_FALSE(good(R"(,"body_bytes":7,"body":"x")").body_left_out);
  CHECK_FALSE(good(R"(,"body_bytes":0)").body_left_out);
}

TEST_CASE("a URL is taken apart, and the target wins over it") {
  const auto target = [](const std::string& url) {
    const auto request = read_json_line(R"({"time":0,"method":"GET","url":")" + url + "\"}");
    return request ? request->target : request.error();
  };
  CHECK(target("https://h:1/a/b?c=d#e") == "/a/b?c=d");
  CHECK(target("http://h") == "/");
  CHECK(target("http://h?q") == "/?q");
  CHECK(target("/a") == "/a");
  CHECK(target("*") == "*");
  CHECK(target("nowhere") == "its \"target\" is neither a path nor a URL");
  CHECK(good(R"(,"url":"http://h/other")").target == "/a?b=1");
}

TEST_CASE("a line that is no request says why") {
  CHECK(why("nonsense") == "it is not a JSON object");
  CHECK(why("[]") == "it is not a JSON object");
  CHECK(why(R"({"time":1,"time":2,"method":"GET","url":"/"})") == "it is not a JSON object");
  CHECK(why(R"({"method":"GET","url":"/"})") == "it has no \"time\"");
  CHECK(why(R"({"time":"noon","method":"GET","url":"/"})") ==
        "its \"time\" is neither RFC 3339 nor seconds since 1970");
  CHECK(why(R"({"time":1,"url":"/"})") == "it has no \"method\"");
  CHECK(why(R"({"time":1,"method":7,"url":"/"})") == "it has no \"method\"");
  CHECK(why(R"({"time":1,"method":"GET"})") == "it has neither \"target\" nor \"url\"");
  const auto with = [](const std::string& field) {
    return why(R"({"time":1,"method":"GET","url":"/",)" + field + "}");
  };
  CHECK(with(R"("headers":"a: b")") ==
        "its \"headers\" are neither an object nor a list of names and values");
  CHECK_FALSE(with(R"("headers":{"a":{"b":"c"}})").empty());
  CHECK_FALSE(with(R"("headers":[["a"]])").empty());
  CHECK(with(R"("body_base64":"!")") == "its \"body_base64\" is not valid base64");
  CHECK(with(R"("status":99)") == "its \"status\" is neither 0 nor between 100 and 599");
  CHECK_FALSE(with(R"("status":"ok")").empty());
  CHECK(with(R"("duration_ms":-1)") == "its \"duration_ms\" is not a number of 0 or more");
}

}  // namespace
}  // namespace onceproxy::backtest
