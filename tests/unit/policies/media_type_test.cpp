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
