#include "proxy/telemetry/access_format_line.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point over{1'767'355'384s + 500ms};

class Fields final : public AccessFields {
 public:
  Fields(std::initializer_list<std::pair<const std::string, std::string>> fields)
      : fields_(fields) {}
  std::optional<std::string_view> find(std::string_view name) const override {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

struct Told {
  AccessRecord record;
  AccessDetails details;

  Told() {
    record.request_id = "id-1";
    record.client = "10.0.0.7";
    record.method = "POST";
    record.path = "/orders";
    record.policy = "orders";
    record.decision = gate::Decision::forwarded;
    record.fingerprint = "00ff";
    record.status = 201;
    record.request_bytes = 7;
    record.response_bytes = 100;
    record.duration = 1'500ms;
    record.upstream_duration = 12ms;
    details.protocol = "HTTP/1.1";
    details.target = "/orders?a=1";
    details.client_port = 4711;
    details.upstream_host = "127.0.0.1:8081";
    details.forwarded = true;
    details.code_details = "via_upstream";
  }

  std::string text(std::string_view format) const {
    const auto made = AccessFormat::text(format);
    REQUIRE(made);
    std::string out;
    append_formatted_line(out, *made, record, details, over);
    REQUIRE(out.ends_with('\n'));
    out.pop_back();
    return out;
  }
  std::string json(std::string_view format) const {
    AccessFormat::Json json;
    REQUIRE_FALSE(json.member("v", format));
    std::string out;
    append_formatted_line(out, json.finish(), record, details, over);
    return out;
  }
};

TEST_CASE("Envoy's own default format gives the line that Envoy gives") {
  Told told;
  const Fields fields{{":method", "POST"},
                      {":path", "/orders?a=1"},
                      {"user-agent", "curl/8"},
                      {":authority", "shop"}};
  told.details.request = &fields;
  told.details.answer_head = "HTTP/1.1 201 Created\r\nX-Envoy-Upstream-Service-Time: 12\r\n\r\n";
  CHECK(told.text("[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
                  "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
                  "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
                  "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
                  "\"%UPSTREAM_HOST%\"\n") ==
        "[2026-01-02T12:03:03.000Z] \"POST /orders?a=1 HTTP/1.1\" 201 - 7 41 1500 12 \"-\" "
        "\"curl/8\" \"id-1\" \"shop\" \"127.0.0.1:8081\"");
}

TEST_CASE("Each operator tells what it says") {
  const Told told;
  CHECK(told.text("%PATH% %PATH(NQ)%") == "/orders?a=1 /orders");
  CHECK(told.text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "
                  "%DOWNSTREAM_REMOTE_PORT%") == "10.0.0.7:4711 10.0.0.7 4711");
  CHECK(told.text("%STREAM_ID% %TRACE_ID% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%") ==
        "id-1 - upstream 1");
  CHECK(told.text("%ONCEPROXY_DECISION% %ONCEPROXY_SHADOW% %ONCEPROXY_POLICY% "
                  "%ONCEPROXY_FINGERPRINT% %ONCEPROXY_ERROR% %ONCEPROXY_UPSTREAM_DURATION%") ==
        "forwarded - orders 00ff - 12");
  CHECK(told.text("%RESPONSE_CODE_DETAILS% %DOWNSTREAM_WIRE_BYTES_SENT% %RESP(:STATUS)%") ==
        "via_upstream 100 201");
  CHECK(told.text("%EMIT_TIME(%s.%3f)%") == "1767355384.500");
  CHECK_FALSE(told.text("%HOSTNAME%").empty());
}

TEST_CASE("An IPv6 client stands in brackets where its port follows") {
  Told told;
  told.record.client = "::1";
  CHECK(told.text("%DOWNSTREAM_REMOTE_ADDRESS%") == "[::1]:4711");
}

TEST_CASE("What was not forwarded has the decision for details, and no upstream") {
  Told told;
  told.record.decision = gate::Decision::in_flight;
  told.details = AccessDetails();
  CHECK(told.text("%RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% "
                  "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %PROTOCOL% %DOWNSTREAM_REMOTE_ADDRESS%") ==
        "onceproxy_in_flight - - 0 - 10.0.0.7");
}

TEST_CASE("A flag has Envoy's short name and its long one") {
  Told told;
  CHECK(told.text("%RESPONSE_FLAGS%") == "-");
  told.details.flag = AccessFlag::connection_termination;
  CHECK(told.text("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%") == "UC UpstreamConnectionTermination");
}

TEST_CASE("A field of the answer is found in any case, and only in the head") {
  Told told;
  told.details.answer_head = "HTTP/1.1 200 OK\r\nX-One:  a b \r\nx-two:\r\n\r\n";
  CHECK(told.text("%RESP(x-ONE)%|%RESP(X-Two)%|%RESP(X-None)%|%RESP(X-None?X-One)%|%RESP(ok)%|"
                  "%RESP(X-ONE):1%") == "a b||-|a b|-|a");
}

TEST_CASE("A value is cut between characters") {
  Told told;
  const Fields fields{{"x", "a\xc3\xa4z"}};
  told.details.request = &fields;
  CHECK(told.text("%REQ(X):1%") == "a");
  CHECK(told.text("%REQ(X):2%") == "a");
  CHECK(told.text("%REQ(X):3%") == "a\xc3\xa4");
}

TEST_CASE("A value that is longer than a line may hold is cut") {
  Told told;
  const Fields fields{{"x", std::string(100'000, 'x')}};
  told.details.request = &fields;
  CHECK(told.text("%REQ(X)%").size() == AccessFormat::value_bytes_default);
  CHECK(told.text("%REQ(X):65536%").size() == AccessFormat::value_bytes_max);
}

TEST_CASE("In JSON one operator alone keeps its type") {
  const Told told;
  CHECK(told.json("%RESPONSE_CODE%") == "{\"v\":201}\n");
  CHECK(told.json("%DURATION%") == "{\"v\":1500}\n");
  CHECK(told.json("%ONCEPROXY_SHADOW%") == "{\"v\":null}\n");
  CHECK(told.json("%PROTOCOL%") == "{\"v\":\"HTTP/1.1\"}\n");
  CHECK(told.json("a%RESPONSE_CODE%-%ONCEPROXY_SHADOW%") == "{\"v\":\"a201--\"}\n");
  CHECK(told.json("") == "{\"v\":\"\"}\n");
  CHECK(told.json("say \"100%%\"") == "{\"v\":\"say \\\"100%\\\"\"}\n");
}

TEST_CASE("JSON keeps the order and the nesting of its members") {
  AccessFormat::Json json;
  REQUIRE_FALSE(json.member("z", "1"));
  json.begin_object("o");
  REQUIRE_FALSE(json.member("a", "%RESPONSE_CODE%"));
  json.begin_object("p");
  REQUIRE_FALSE(json.member("b", "x"));
  json.end_object();
  json.end_object();
  REQUIRE_FALSE(json.member("q\"", "y"));
  std::string out;
  append_formatted_line(out, json.finish(), Told().record, {}, over);
  CHECK(out == "{\"z\":\"1\",\"o\":{\"a\":201,\"p\":{\"b\":\"x\"}},\"q\\\"\":\"y\"}\n");
}

TEST_CASE("No value makes a second line, ends its quotation marks, or breaks JSON") {
  std::mt19937 random(7);
  AccessFormat::Json json;
  REQUIRE_FALSE(json.member("alone", "%REQ(X)%"));
  REQUIRE_FALSE(json.member("among", "<%REQ(X)%>"));
  const AccessFormat as_json = json.finish();
  const auto as_text = AccessFormat::text("\"%REQ(X)%\"");
  Told told;
  for (int round = 0; round < 3'000; ++round) {
    std::string value = round == 0 ? "\r\n\"\\\xe2\x80\xa8\x1b[2J\x7f\x85" : "";
    for (auto i = random() % 12; i > 0; --i) value += static_cast<char>(random() % 256);
    const Fields fields{{"x", value}};
    told.details.request = &fields;
    std::string line;
    append_formatted_line(line, *as_text, told.record, told.details, over);
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(line.find('\r') == std::string::npos);
    // As a JSON string: the first quotation mark that is not escaped is the last.
    boost::json::error_code error;
    boost::json::parse(line, error);
    CHECK_FALSE(error);
    line.clear();
    append_formatted_line(line, as_json, told.record, told.details, over);
    CHECK(boost::json::parse(line, error).is_object());
    CHECK_FALSE(error);
    CHECK(line.find('\n') == line.size() - 1);
  }
}

}  // namespace
}  // namespace onceproxy::telemetry
