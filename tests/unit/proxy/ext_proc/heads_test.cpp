#include "proxy/ext_proc/heads.hpp"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <utility>

namespace onceproxy::ext_proc {
namespace {

using Fields = std::initializer_list<std::pair<std::string, std::string>>;

HeaderMap map_of(Fields fields) {
  HeaderMap map;
  for (const auto& [name, value] : fields) {
    HeaderValue& field = *map.add_headers();
    field.set_key(name);
    field.set_raw_value(value);
  }
  return map;
}

/// A request's pseudo-fields with one in another form, and more fields.
std::optional<http::BadHead> refused(const std::string& name, const std::string& value,
                                     Fields more = {}) {
  HeaderMap map = map_of({{":method", "POST"}, {":path", "/a"}, {":authority", "h"}});
  for (HeaderValue& field : *map.mutable_headers()) {
    if (field.key() == name) field.set_raw_value(value);
  }
  map.MergeFrom(map_of(more));
  std::string text;
  http::RequestHead head;
  return read_request_head(map, text, head);
}

TEST_CASE("A request's head is what HTTP/1.1 would have made of it") {
  std::string text;
  http::RequestHead head;
  const HeaderMap map = map_of({{":authority", "shop.example:8080"},
                                {":path", "/a/b?c=d"},
                                {":method", "PATCH"},
                                {":scheme", "https"},
                                {"transfer-encoding", "chunked"},
                                {"x-request-id", "r-1"},
                                {"x-bytes", "\xc3\xa4"},
                                {"x-empty", ""}});
  REQUIRE_FALSE(read_request_head(map, text, head));
  CHECK(head.method == "PATCH");
  CHECK(head.target == "/a/b?c=d");
  CHECK(head.path == "/a/b");
  CHECK(head.query == "c=d");
  CHECK(head.host == "shop.example:8080");
  CHECK(head.framing.kind == http::Framing::Kind::none);
  CHECK(head.request_id == 1);
  REQUIRE(head.fields.size() == 4);
  CHECK(head.fields[2].value == "\xc3\xa4");
  CHECK(head.fields[3].value.empty());
}

TEST_CASE("Values are read wherever Envoy puts them") {
  HeaderMap map = map_of({{":method", "GET"}, {":path", "/"}, {":authority", "h"}});
  HeaderValue& field = *map.add_headers();
  field.set_key("x-a");
  field.set_value("1");
  std::string text;
  http::RequestHead head;
  REQUIRE_FALSE(read_request_head(map, text, head));
  CHECK(head.fields.back().value == "1");
}

TEST_CASE("Nothing breaks out of its line") {
  CHECK(refused(":method", "POST /other HTTP/1.1\r\nx: y"));
  CHECK(refused(":method", ""));
  CHECK(refused(":path", "/a HTTP/1.1\r\nidempotency-key: other"));
  CHECK(refused(":path", "/a b"));
  CHECK(refused(":authority", "h\r\nx: y"));
  CHECK(refused(":path", "/a", {{"x", "1\r\ny: 2"}}));
  CHECK(refused(":path", "/a", {{"x y", "1"}}));
  CHECK(refused(":path", "/a", {{"", "1"}}));
  CHECK_FALSE(refused(":path", "/a"));
}

TEST_CASE("What the data port refuses is refused here") {
  CHECK(refused(":method", "CONNECT"));
  CHECK(refused(":authority", "a b"));
  CHECK(refused(":path", "/a", {{"content-length", "1"}, {"content-length", "2"}}));
}

TEST_CASE("An answer's head is read as the service's would be") {
  std::string text;
  http::ResponseHead head;
  const HeaderMap map = map_of({{":status", "201"},
                                {"content-length", "3"},
                                {"date", "Thu, 01 Jan 1970 00:00:00 GMT"},
                                {"x-envoy-upstream-service-time", "2"}});
  REQUIRE_FALSE(read_response_head(map, "POST", text, head));
  CHECK(head.status == 201);
  CHECK(head.date == 1);
  CHECK(head.framing.length == 3);
  CHECK(read_response_head(map_of({{":status", "2\r\n"}}), "POST", text, head));
  CHECK(read_response_head(map_of({}), "POST", text, head));
}

}  // namespace
}  // namespace onceproxy::ext_proc
