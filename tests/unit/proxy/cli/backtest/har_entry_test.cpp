#include "proxy/cli/backtest/har_entry.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::backtest {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

LoggedRequest good(const std::string& entry) {
  const auto request = read_har_entry(entry);
  INFO(entry);
  if (!request) FAIL(request.error());
  return *request;
}

TEST_CASE("an entry as browsers write it is a request with its answer") {
  const LoggedRequest request = good(R"({
    "_initiator": {"type": "script", "stack": {"callFrames": []}},
    "startedDateTime": "2026-01-02T03:04:05.678+01:00", "time": 41.5,
    "request": {"method": "POST", "url": "https://shop.example/orders?x=1", "httpVersion": "h2",
      "headers": [{"name": ":authority", "value": "shop.example"},
                  {"name": "idempotency-key", "value": "k1"},
                  {"name": "content-type", "value": "application/json"}],
      "queryString": [{"name": "x", "value": "1"}], "cookies": [], "headersSize": -1, "bodySize": 14,
      "postData": {"mimeType": "application/json", "text": "{\"item\":\"tea\"}"}},
    "response": {"status": 201, "statusText": "", "headers": [], "content": {"size": 11}},
    "cache": {}, "timings": {"send": 1, "wait": 40, "receive": 0.5}})");
  CHECK(moment_text(request.time) == "2026-01-02T02:04:05.678Z");
  CHECK(request.method == "POST");
  CHECK(request.target == "/orders?x=1");
  CHECK(request.headers ==
        Headers{{"idempotency-key", "k1"}, {"content-type", "application/json"}});
  CHECK(request.body == "{\"item\":\"tea\"}");
  CHECK(request.status == 201);
  CHECK(request.duration == std::chrono::microseconds{41'500});
  CHECK(request.response_bytes == 11);
}

std::string entry(const std::string& post,
                  const std::string& rest = R"("response":{"status":200})") {
  return R"({"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"POST","url":"http://h/",)"
         R"("headers":[])" +
         post + "}," + rest + "}";
}

TEST_CASE("a form that the recorder took apart is put together again") {
  const LoggedRequest request =
      good(entry(R"(,"postData":{"mimeType":"application/x-www-form-urlencoded","params":)"
                 R"([{"name":"a b","value":"c&d"},{"name":"e","value":"é"}]})"));
  CHECK(request.body == "a+b=c%26d&e=%C3%A9");
  CHECK(request.headers == Headers{{"content-type", "application/x-www-form-urlencoded"}});
}

TEST_CASE("a request body in base64 is decoded") {
  const LoggedRequest request = good(entry(R"(,"postData":{"text":"AP8=","encoding":"base64"})"));
  CHECK(request.body == std::string("\x00\xff", 2));
  CHECK_FALSE(request.body_is_decoded);
}

TEST_CASE("without an answer the status is 0") {
  CHECK(good(entry("", R"("response":{"status":0})")).status == 0);
  CHECK(good(entry("", R"("response":{"status":-1})")).status == 0);
  CHECK(good(entry("", R"("time":-1)")).status == 0);
}

TEST_CASE("an entry that is no request says why") {
  CHECK(read_har_entry("{").error() == "it is not a JSON object");
  CHECK(read_har_entry("{}").error() == "it has no \"request\"");
  CHECK(read_har_entry(R"({"request":{}})").error() == "its \"startedDateTime\" is not a time");
  CHECK(read_har_entry(R"({"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET"}})")
            .error() == "its request's \"url\" is not a URL");
}

}  // namespace
}  // namespace onceproxy::backtest
