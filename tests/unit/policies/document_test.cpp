#include "policies/document.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;

TEST_CASE("a body that is not encoded is its own content, without a copy") {
  Request request;
  request.body = R"({"a":1})";
  const RequestView view = request.view();
  Document document(view, request.body, 1);
  REQUIRE(document.content() != nullptr);
  CHECK(document.content()->data() == request.body.data());
  REQUIRE(document.json() != nullptr);
  CHECK(document.json() == document.json());
}

TEST_CASE("a body of an unknown coding has neither content nor JSON") {
  Request request;
  request.headers = {{"Content-Encoding", "br"}};
  request.body = R"({"a":1})";
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  CHECK(document.json() == nullptr);
  CHECK(document.content() == nullptr);
}

TEST_CASE("an empty body has content but no JSON") {
  Request request;
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  REQUIRE(document.content() != nullptr);
  CHECK(document.content()->empty());
  CHECK(document.json() == nullptr);
}

namespace {

/// Document::unreadable_json(), or "readable".
std::string why_unreadable(std::string body, std::string type = "", std::string coding = "") {
  Request request;
  if (!type.empty()) request.headers.emplace_back("Content-Type", type);
  if (!coding.empty()) request.headers.emplace_back("Content-Encoding", coding);
  request.body = std::move(body);
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  CHECK(document.known_unreadable() == nullptr);
  const std::string* const why = document.unreadable_json();
  CHECK(document.known_unreadable() == why);
  CHECK(document.unreadable_json() == why);
  return why == nullptr ? "readable" : *why;
}

}  // namespace

TEST_CASE("a body that is not JSON and not declared as JSON is readable") {
  CHECK(why_unreadable("") == "readable");
  CHECK(why_unreadable("", "application/json") == "readable");
  CHECK(why_unreadable("", "application/json", "gzip") == "readable");
  CHECK(why_unreadable("text") == "readable");
  CHECK(why_unreadable("text [1]", "text/plain") == "readable");
  CHECK(why_unreadable("a=1", "application/x-www-form-urlencoded") == "readable");
  CHECK(why_unreadable("\xff\xd8\xff", "image/jpeg") == "readable");
  CHECK(why_unreadable("<a/>", "application/jsonp") == "readable");
  CHECK(why_unreadable(R"({"a":1})") == "readable");
  CHECK(why_unreadable("7", "application/json") == "readable");
}

TEST_CASE("a body that is declared as JSON, or begins like it, and is not valid is unreadable") {
  CHECK(why_unreadable(R"({"id":"e1","cpu":NaN})") ==
        "The body is not valid JSON: a JSON value is missing at byte 17.");
  const std::string twice = R"({"a":1,"a":1})";
  for (const char* type : {"application/json", "text/plain", "Application/JSON; charset=utf-8",
                           "text/json", "application/cloudevents+json"}) {
    INFO(type);
    CHECK(why_unreadable(twice, type) ==
          "The body is not valid JSON: a member name is repeated at byte 7.");
  }
  for (const std::string& begin :
       {std::string("["), std::string(" \r\n\t{"), std::string("\v\f["),
        std::string("\xef\xbb\xbf ["), std::string("\xff\xfe{\0", 4), std::string("\xfe\xff\0{", 4),
        std::string("\0\0\0[", 4), std::string("{\0", 2), std::string("\0 \0\n\0{", 6)}) {
    INFO(begin);
    CHECK(why_unreadable(begin) != "readable");
  }
  for (const char* body : {"text", " ", "\xef\xbb\xbf", "'a'", "\"open"}) {
    INFO(body);
    CHECK(why_unreadable(body) == "readable");
    CHECK(why_unreadable(body, "application/json") != "readable");
  }
}

TEST_CASE("a body whose coding cannot be undone is unreadable, whatever it is") {
  for (const char* coding : {"br", "gzip", "deflate", "gzip, gzip, gzip", "identity, zstd"}) {
    INFO(coding);
    CHECK(why_unreadable(R"({"a":1})", "", coding).find("Content-Encoding") != std::string::npos);
    CHECK(why_unreadable("text", "text/plain", coding).find("Content-Encoding") !=
          std::string::npos);
  }
  CHECK(why_unreadable(R"({"a":1})", "", "identity") == "readable");
}

namespace {

std::string why_no_form(std::string body, std::string type, std::string coding = "") {
  Request request;
  request.headers.emplace_back("Content-Type", type);
  if (!coding.empty()) request.headers.emplace_back("Content-Encoding", coding);
  request.body = std::move(body);
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  const std::string* const why = document.unreadable_form();
  CHECK(document.known_unreadable() == why);
  CHECK(document.unreadable_form() == why);
  return why == nullptr ? "readable" : *why;
}

}  // namespace

TEST_CASE("a form with parts that is not valid is unreadable to who asks for a form") {
  const std::string type = "multipart/form-data; boundary=X";
  const std::string whole = "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--X--\r\n";
  CHECK(why_no_form(whole, type) == "readable");
  CHECK(why_no_form(whole.substr(0, 50), type) ==
        "The body is not valid multipart/form-data: the last boundary is missing at byte 50.");
  CHECK(why_no_form("", type) == "readable");
  CHECK(why_no_form(whole.substr(0, 50), "text/plain") == "readable");
  CHECK(why_no_form("a=1", "application/x-www-form-urlencoded") == "readable");
  CHECK(why_no_form("{", "application/json") == "readable");
  CHECK(why_no_form(whole, type, "gzip").find("Content-Encoding") != std::string::npos);
  CHECK(why_unreadable(whole.substr(0, 50), type) == "readable");
}
