#include "policies/xpath_rules.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("expressions whose cost the document bounds are taken") {
  for (const char* expression :
       {"/Envelope/Body/Order/@id", "//MessageID", "Document/GrpHdr/MsgId", "/a/b[2]/c",
        "//Param[Name = 'order id']/Value", "//Param[Name='x']/../Id", "(//a)[last()]",
        "concat(/a/b, '|', //c/@d)", "normalize-space(//a)", "/a/*[@type=\"x::y[z]\"]/text()",
        "//a[b/c/@d = 'x' and not(@e)][1]", "/a[starts-with(b, 'x')]", "//*[local-name()='a']",
        "/a-b.c/_d", "//a[@n >= 1.5]", "//a | //b", "/a[. = 'x']", "//a[contains(./b, '//')]"}) {
    INFO(expression);
    CHECK(wrong_xpath(expression).value_or("") == "");
  }
}

TEST_CASE("expressions that could compare everything with everything are refused") {
  for (const char* expression :
       {"//a[//b]", "//a[/b]", "//a[not(/b)]", "//a[../b]", "//a[b[c]]", "//a[b = c]",
        "//a[b != ../c]", "string(//a = //b)", "//a/following-sibling::b", "//a/preceding::b",
        "descendant::a", "//a[.//b]", "//a[position() = last()]"}) {
    INFO(expression);
    CHECK(wrong_xpath(expression));
  }
}

TEST_CASE("a refusal says what to write instead") {
  CHECK(wrong_xpath("/soap:Envelope") ==
        "has a name with a prefix; write the name alone, which matches in every namespace");
  CHECK(wrong_xpath("/soap:*").value().starts_with("has a name with a prefix"));
  CHECK(wrong_xpath("/child::a") == "names an axis; write paths with /, //, @, . and ..");
  CHECK(wrong_xpath("//a[b[c]]") == "has a predicate inside a predicate");
  CHECK(wrong_xpath("//a[../b]") == "has `..` inside [ ], where a path goes down by names alone");
  CHECK(wrong_xpath("//a[ /b ]") ==
        "has a path inside [ ] that begins at the document; begin it at the element that the "
        "predicate belongs to");
  CHECK(wrong_xpath("//a[b = c]") ==
        "compares something other than with a text or a number; write one at a side of `=`");
  CHECK(wrong_xpath("//*[namespace-uri() = 'u']") ==
        "calls namespace-uri(); names match in every namespace, and ids and languages are not "
        "known");
  CHECK_FALSE(wrong_xpath("/namespace-uri/id/lang"));
  CHECK(wrong_xpath(std::string(xpath_bytes_max + 1, 'a')) == "is longer than 1000 bytes");
}

TEST_CASE("text in a literal is not a part of the expression") {
  CHECK_FALSE(wrong_xpath("/a[b = 'c::d[e[/f]]']"));
  CHECK_FALSE(wrong_xpath("/a[b = \"it's //x\"]"));
  CHECK_FALSE(wrong_xpath("/a['unfinished"));
}
