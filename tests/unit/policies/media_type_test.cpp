#include "policies/media_type.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;

namespace {

BodyKind kind(const std::vector<std::string>& types) {
  Request request;
  for (const std::string& type : types) request.headers.emplace_back("content-type", type);
  return body_kind(request.view());
}

bool says(const std::string& asked, std::vector<std::string> fields) {
  Request request;
  for (std::string& field : fields) request.headers.emplace_back("Content-Type", std::move(field));
  return says_media_type(request.view(), parse_media_type(asked).value());
}

}  // namespace

TEST_CASE("a body is what its Content-Type says") {
  CHECK(kind({}) == BodyKind::unsaid);
  for (const char* type : {"", " ", "; charset=utf-8"}) CHECK(kind({type}) == BodyKind::unsaid);
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "text/json",
                           "application/merge-patch+json", "application/vnd.a.b+JSON ;v=1"}) {
    INFO(type);
    CHECK(kind({type}) == BodyKind::json);
  }
  CHECK(kind({"application/x-www-form-urlencoded;charset=UTF-8"}) == BodyKind::form);
  CHECK(kind({"multipart/form-data; boundary=a"}) == BodyKind::multipart);
  for (const char* type : {"text/plain", "text/csv", "application/jsonp", "+json", "json",
                           "multipart/mixed; boundary=a", "application/x-ndjson", "a, b",
                           "application/json, text/plain"}) {
    INFO(type);
    CHECK(kind({type}) == BodyKind::other);
  }
}

TEST_CASE("a body with two types that differ is neither") {
  CHECK(kind({"application/json", "application/json"}) == BodyKind::json);
  CHECK(kind({"application/json", "text/plain"}) == BodyKind::other);
  CHECK(kind({"multipart/form-data; boundary=a", "multipart/form-data; boundary=b"}) ==
        BodyKind::other);
}

TEST_CASE("the parameters of a field's value are found, quoted or bare") {
  const auto all =
      parameters(R"(form-data; name=a; filename="b;c=\"d\"\\"; x ; y= z ;= ; q="open)");
  std::vector<std::pair<std::string, std::string>> found;
  for (const Parameter& one : all) found.emplace_back(one.name, one.text);
  CHECK(found ==
        std::vector<std::pair<std::string, std::string>>{
            {"name", "a"}, {"filename", R"(b;c="d"\)"}, {"y", "z"}, {"", ""}, {"q", "open"}});
  CHECK(only_parameter(all, "NAME") == "a");
  CHECK_FALSE(only_parameter(all, "z"));
  CHECK(only_parameter(parameters(R"(f; name="C:\dir\a.txt")"), "name") == R"(C:\dir\a.txt)");
  CHECK_FALSE(only_parameter(parameters("f; a=1; A=2"), "a"));
  CHECK(parameters("text/plain").empty());
  CHECK(parameters(";").empty());
}

TEST_CASE("a media type is compared without case, and without parameters that are not asked for") {
  CHECK(says("application/json", {"application/json"}));
  CHECK(says("application/json", {"Application/JSON"}));
  CHECK(says("application/json", {"application/json; charset=utf-8"}));
  CHECK(says("application/json", {"application/json;charset=UTF-8"}));
  CHECK(says("application/json", {"application/json ; odd"}));
  CHECK_FALSE(says("application/json", {"application/jsonp"}));
  CHECK_FALSE(says("application/json", {"application/merge-patch+json"}));
  CHECK_FALSE(says("application/json", {}));
}

TEST_CASE("parameters that are asked for must be there") {
  CHECK(says("text/plain; charset=utf-8", {"text/plain; format=flowed; Charset=\"UTF-8\""}));
  CHECK_FALSE(says("text/plain; charset=utf-8", {"text/plain"}));
  CHECK_FALSE(says("text/plain; charset=utf-8", {"text/plain; charset=latin1"}));
  CHECK(says("a/b; v=\"a;b\"", {"a/b; v=\"a;b\""}));
  CHECK_FALSE(says("a/b; v=x", {"a/b; v=X"}));
}

TEST_CASE("where the field is repeated or a list, each counts") {
  CHECK(says("application/json", {"text/plain", "application/json"}));
  CHECK(says("application/json", {"text/plain, application/json; charset=utf-8"}));
  CHECK_FALSE(says("b/c", {"text/plain; x=\", b/c\""}));
}

TEST_CASE("text that is not a media type is not read as one") {
  for (const char* text : {"", "json", "a/", "/b", "a b/c", "a/b; c", "a/b; c=\"d", "a/b; =d"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_media_type(text));
  }
  CHECK(parse_media_type(" A/B ;; C=d ; ") == MediaType{"a/b", {{"c", "d"}}});
}
