#include "policies/xml.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

namespace {

using Texts = std::vector<std::string>;

Texts select(std::string_view text, const std::string& expression) {
  const auto tree = XmlTree::read(text);
  REQUIRE(tree);
  return XPath::compile(expression).value()->select(**tree);
}

/// The fault and its place: "the tags do not match at 7"; "none".
std::string fault(std::string_view text) {
  const auto tree = XmlTree::read(text);
  if (tree) return "none";
  return std::string(tree.error().what) + " at " + std::to_string(tree.error().at);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

constexpr const char* soap = R"(<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="urn:wsa">
  <soap:Header><wsa:MessageID wsu:Id="i1">uuid:m-1</wsa:MessageID></soap:Header>
  <soap:Body><Pay xmlns="urn:pay"><Id>e-1</Id><Amt Ccy="EUR">10.00</Amt></Pay></soap:Body>
</soap:Envelope>)";

}  // namespace

TEST_CASE("names match by local name, whatever their prefix and namespace") {
  CHECK(select(soap, "/Envelope/Header/MessageID") == Texts{"uuid:m-1"});
  CHECK(select(soap, "/Envelope/Body/Pay/Amt/@Ccy") == Texts{"EUR"});
  CHECK(select(soap, "//MessageID/@Id") == Texts{"i1"});
  CHECK(select("<s:Envelope xmlns:s='u'><s:Header><MessageID>m</MessageID></s:Header></s:Envelope>",
               "/Envelope/Header/MessageID") == Texts{"m"});
  CHECK(select(soap, "/Envelope/@*").empty());
  CHECK(select(soap, "//Missing").empty());
}

TEST_CASE("the text of an element is all text in it") {
  CHECK(select("<a>x<b>y</b><![CDATA[<z>]]><!-- no -->&amp;&#65;</a>", "/a") == Texts{"xy<z>&A"});
  CHECK(select(soap, "/Envelope/Body/Pay") == Texts{"e-110.00"});
  CHECK(select("<a><b/></a>", "/a/b") == Texts{""});
  CHECK(select("<a b=\"1\r\n2\"/>", "/a/@b") == Texts{"1 2"});
}

TEST_CASE("several nodes are selected in the document's order") {
  CHECK(select("<a><b>2</b><c>3</c><b>1</b></a>", "/a/b") == Texts{"2", "1"});
  CHECK(select("<a><b>2</b><c>3</c><b>1</b></a>", "//c | //b") == Texts{"2", "3", "1"});
}

TEST_CASE("no attribute is taken for another one of its local name") {
  CHECK(select("<a x:i='1'/>", "/a/@i") == Texts{"1"});
  CHECK(select("<a x:i='1' i='2'/>", "/a/@i") == Texts{"2"});
  CHECK(select("<a i='2' x:i='1'/>", "/a/@i") == Texts{"2"});
  CHECK(select("<a x:i='1' y:i='2'/>", "/a/@i").empty());
  CHECK(select("<a x:i='1' y:i='2'/>", "/a/@*") == Texts{"1", "2"});
  CHECK(fault("<b/><a i='1' j='2' i='1'/>") == "an attribute is repeated at 5");
}

TEST_CASE("an expression may make a text, and an empty one is nothing") {
  CHECK(select(soap, "concat(//Id, '/', //Amt/@Ccy)") == Texts{"e-1/EUR"});
  CHECK(select("<a> x\n y </a>", "normalize-space(/a)") == Texts{"x y"});
  CHECK(select(soap, "string(//Missing)").empty());
}

TEST_CASE("a document is read as its byte order mark or declaration says") {
  using namespace std::string_view_literals;
  CHECK(select("\xEF\xBB\xBF<a>\xC3\xA9</a>", "/a") == Texts{"\xC3\xA9"});
  CHECK(select("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>", "/a") ==
        Texts{"\xC3\xA9"});
  CHECK(select("\xFE\xFF\0<\0a\0>\0\xE9\0<\0/\0a\0>"sv, "/a") == Texts{"\xC3\xA9"});
  CHECK(select("<\0a\0>\0x\0<\0/\0a\0>\0"sv, "/a") == Texts{"x"});
}

TEST_CASE("nothing outside a document is read, and no document declares entities") {
  CHECK(fault("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>")
            .starts_with("a document type declaration is not read"));
  CHECK(fault("<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a/>")
            .starts_with("a document type declaration is not read"));
  CHECK(fault("<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><a>&b;</a>")
            .starts_with("a document type declaration is not read"));
  CHECK(select("<a>&x;</a>", "/a") == Texts{"&x;"});
}

TEST_CASE("XML that is not well-formed is reported with its place") {
  CHECK(fault("<a><b></a>") == "the tags do not match at 8");
  CHECK(fault("<a b=1/>").starts_with("an attribute is malformed"));
  CHECK(fault("<a>").starts_with("the tags do not match"));
  CHECK(fault("text") == "there is no element at 4");
  CHECK(fault("<a/><") != "none");
  CHECK(fault(std::string_view("<a>1</a>\0<b/>", 13)) == "a character is NUL at 8");
  CHECK(fault(std::string_view("<\0a\0/\0>\0\0\0", 10)) == "a character is NUL at 8");
}

TEST_CASE("nesting and markup are bounded, and so is what an expression costs") {
  const std::size_t most = XmlTree::depth_max;
  const auto nested = [](std::size_t depth) {
    return repeated("<a>", depth) + "x" + repeated("</a>", depth);
  };
  CHECK(fault(nested(most)) == "none");
  CHECK(fault(nested(most + 1)).starts_with("elements are nested too deeply"));
  CHECK(fault(nested(100'000)).starts_with("elements are nested too deeply"));
  const std::string wide = "<r>" + repeated("<a/>", XmlTree::marks_max - 2) + "</r>";
  CHECK(fault(wide) == "none");
  CHECK(fault("<r>" + repeated("<a/>", XmlTree::marks_max - 1) + "</r>")
            .starts_with("there are too many tags and attributes"));
  CHECK(fault("<a " + repeated("b=''", XmlTree::marks_max) + "/>")
            .starts_with("there are too many tags and attributes"));
  CHECK(select(wide, "//a[@b = 'x']//c[d]/..").empty());
}

TEST_CASE("an expression is compiled, and what is wrong with it is told") {
  const auto wrong = [](const std::string& text) { return XPath::compile(text).error(); };
  CHECK(wrong("/a[") == "is no XPath expression: Unrecognized node test at byte 3");
  CHECK(wrong("").starts_with("is no XPath expression: "));
  CHECK(wrong("/a/$x").starts_with("is no XPath expression: "));
  CHECK(wrong("count(//a)") == "makes a number; select elements, attributes or text");
  CHECK(wrong("//a = 'x'") == "makes a truth value; select elements, attributes or text");
  CHECK(wrong("/s:a").starts_with("has a name with a prefix"));
}
