#include "proxy/telemetry/span_json.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

Span plain_span() {
  Span span;
  span.context = {{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}, 0xf067aa0ba902b7, true, false};
  span.name = "POST";
  span.begin = std::chrono::system_clock::time_point(1'700'000'000s);
  span.end = span.begin + 1'234'567ns;
  return span;
}

std::string json(const Span& span) {
  std::string out;
  append_span(out, span);
  return out;
}

}  // namespace

TEST_CASE("a span without anything to tell is its ids and times") {
  CHECK(json(plain_span()) ==
        R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","flags":257,)"
        R"("name":"POST","kind":1,"startTimeUnixNano":"1700000000000000000",)"
        R"("endTimeUnixNano":"1700000000001234567"})");
}

TEST_CASE("a span tells its parent, attributes, link and failure") {
  Span span = plain_span();
  span.parent = 0xabc;
  span.parent_remote = true;
  span.kind = SpanKind::server;
  span.attributes.text("http.request.method", "POST");
  span.attributes.number("http.response.status_code", 502);
  span.link = {{1, 2}, 3, true, true};
  span.failed = true;
  span.error = "No answer came in time.";
  const std::string text = json(span);
  CHECK(text.find(R"(,"parentSpanId":"0000000000000abc","flags":769,)") != std::string::npos);
  CHECK(text.find(R"("kind":2,)") != std::string::npos);
  CHECK(text.find(R"(,"attributes":[{"key":"http.request.method","value":{"stringValue":"POST"}},)"
                  R"({"key":"http.response.status_code","value":{"intValue":"502"}}])") !=
        std::string::npos);
  CHECK(text.find(R"(,"links":[{"traceId":"00000000000000010000000000000002",)"
                  R"("spanId":"0000000000000003","flags":3}])") != std::string::npos);
  CHECK(text.ends_with(R"(,"status":{"code":2,"message":"No answer came in time."}})"));
}

TEST_CASE("unknown attributes of a span are left out") {
  Span span = plain_span();
  span.attributes.text("url.path", "");
  span.attributes.number("http.response.status_code", -1);
  CHECK(json(span) == json(plain_span()));
}

TEST_CASE("attributes above the bound are left out, not written beyond it") {
  SpanAttributes attributes;
  for (std::size_t i = 0; i < 2 * SpanAttributes::attributes_max; ++i) attributes.number("n", 1);
  CHECK(attributes.end() - attributes.begin() ==
        static_cast<std::ptrdiff_t>(SpanAttributes::attributes_max));
}

TEST_CASE("no text ends its span's string, and what is no UTF-8 becomes a replacement") {
  Span span = plain_span();
  span.attributes.text("url.path", "/\"},\n\xff");
  CHECK(json(span).find(R"({"stringValue":"/\"},\n)"
                        "\xEF\xBF\xBD\"}}]}") != std::string::npos);
}

TEST_CASE("a long text is cut between characters") {
  Span span = plain_span();
  const std::string longest(span_text_bytes_max, 'x');
  span.name = longest;
  const std::string whole = json(span);
  CHECK(whole.find("\"" + longest + "\"") != std::string::npos);
  const std::string longer = longest + "y";
  span.name = longer;
  CHECK(json(span) == whole);
  // A character of two bytes that stands across the bound goes whole.
  const std::string across = longest.substr(1) + "\xC3\xA9";
  span.name = across;
  CHECK(json(span).find("\"" + longest.substr(1) + "\"") != std::string::npos);
}

TEST_CASE("a batch names the service and the program") {
  CHECK(spans_begin("dispatch \"1\"", "0.1.0") + "{}" + std::string(spans_end) ==
        R"({"resourceSpans":[{"resource":{"attributes":[)"
        R"({"key":"service.name","value":{"stringValue":"dispatch \"1\""}},)"
        R"({"key":"service.version","value":{"stringValue":"0.1.0"}}]},)"
        R"("scopeSpans":[{"scope":{"name":"onceproxy","version":"0.1.0"},"spans":[{}]}]}]})");
}

TEST_CASE("spans that a collector rejects are counted as it says") {
  CHECK(rejected_spans("{}") == 0);
  CHECK(rejected_spans("") == 0);
  CHECK(rejected_spans(R"({"partialSuccess":{}})") == 0);
  CHECK(rejected_spans(R"({"partialSuccess":{"rejectedSpans":"7","errorMessage":"x"}})") == 7);
  CHECK(rejected_spans(R"({"partialSuccess": {"rejectedSpans" : 12}})") == 12);
  CHECK(rejected_spans(R"({"partialSuccess":{"rejectedSpans":)") == 0);
  CHECK(rejected_spans(R"({"partialSuccess":{"rejectedSpans":-3}})") == 0);
}

}  // namespace onceproxy::telemetry
