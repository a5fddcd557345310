#include "config/selector_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using policies::Source;

policies::Selector selector(const std::string& yaml) {
  return loaded_policy("match: {path: \"/{id}\"}\nfingerprint: [" + yaml + ", {target: true}]")
      .fingerprint.at(0);
}

Texts wrong(const std::string& yaml) {
  return policy_problems("fingerprint: [" + yaml + ", {target: true}]");
}

TEST_CASE("Every source is read, and its text is what an operator would write") {
  CHECK(selector("{header: X-Id}").text == "header: X-Id");
  CHECK(selector("{header: X-Id}").source == Source::header);
  CHECK(selector("{query: id}").source == Source::query);
  CHECK(selector("{path: id}").source == Source::path);
  CHECK(selector("{cookie: sid}").source == Source::cookie);
  CHECK(selector("{form: amount}").source == Source::form);
  CHECK(selector("{method: true}").text == "method: true");
  CHECK(selector("{content: true}").source == Source::content);
  CHECK(selector("{const: v2}").source == Source::constant);
  CHECK(selector("{const: v2}").name == "v2");
  const auto body = selector("{body: /a~1b/*/~0c}");
  CHECK(body.source == Source::body);
  CHECK(body.pointer == std::vector<std::string>{"a/b", "*", "~c"});
  CHECK(body.text == "body: /a~1b/*/~0c");
  CHECK(selector("{body: \"\"}").pointer.empty());
  CHECK(selector("{body: \"\"}").text == "body: \"\"");
}

TEST_CASE("Modifiers are read") {
  const auto body =
      selector("{body: /a, lower: true, trim: true, round: 6, sort: true, default: 0}");
  CHECK(body.lower);
  CHECK(body.trim);
  CHECK(body.sort);
  CHECK(body.round == 6);
  CHECK(body.default_value == "0");
  CHECK(selector("{body: /a, default: \"\"}").default_value == "");
  CHECK(!selector("{body: /a}").default_value);
  CHECK(!selector("{body: /a}").round);
}

TEST_CASE(
    "decode, json, capture and take are read, and are listed in the order in which they apply") {
  const auto message = selector(
      "{body: /data, capture: \"^(.)\", sort: true, json: /a/*, decode: base64, default: x}");
  CHECK(message.text == "body: /data, decode: base64, json: /a/*, capture: ^(.)");
  CHECK(message.decode == policies::Decode::base64);
  CHECK(message.json == std::vector<std::string>{"a", "*"});
  CHECK(message.capture->pattern() == "^(.)");
  const auto alerts = selector("{sort: true, take: [/fingerprint, /s~1t], body: /alerts/*}");
  CHECK(alerts.text == "body: /alerts/*, take: [/fingerprint, /s~1t]");
  CHECK(alerts.take == std::vector<std::vector<std::string>>{{"fingerprint"}, {"s/t"}});
  const auto content = selector("{content: true, except: [/sentAt, /items/*/at]}");
  CHECK(content.text == "content: true, except: [/sentAt, /items/*/at]");
  CHECK(content.except == std::vector<std::vector<std::string>>{{"sentAt"}, {"items", "*", "at"}});
  CHECK(selector("{header: a, decode: percent}").decode == policies::Decode::percent);
  CHECK(selector("{header: a, json: \"\"}").json == std::vector<std::string>{});
  CHECK(selector("{content: true, capture: \"(a)\", lower: true, default: b}").default_value ==
        "b");
  CHECK(selector("{header: a, json: /l, sort: true}").sort);
}

TEST_CASE("A target is taken as it came or in normal form") {
  const auto policy = loaded_policy("fingerprint: [{target: normal}, {target: true}]");
  CHECK(policy.fingerprint[0].text == "target: normal");
  CHECK(policy.fingerprint[0].name == "normal");
  CHECK(policy.fingerprint[1].text == "target: true");
  CHECK(policy.fingerprint[1].name.empty());
  CHECK(wrong("{target: lower}") ==
        Texts{"fingerprint[0].target: expected true or normal, found \"lower\""});
}

TEST_CASE("An XPath expression is compiled, and what is wrong with it is told where it stands") {
  const auto order = selector("{xml: \"/Envelope/Body/Order/@id\"}");
  CHECK(order.source == Source::xml);
  CHECK(order.text == "xml: /Envelope/Body/Order/@id");
  CHECK(order.xpath);
  CHECK(wrong("{xml: \"/a[\"}") ==
        Texts{"fingerprint[0].xml: \"/a[\" is no XPath expression: Unrecognized node test at byte "
              "3"});
  CHECK(wrong("{xml: \"/soap:Envelope\"}") ==
        Texts{"fingerprint[0].xml: \"/soap:Envelope\" has a name with a prefix; write the name "
              "alone, which matches in every namespace"});
}

TEST_CASE("Keys that look inside a field are refused if they do not fit its source") {
  CHECK(wrong("{header: a, take: [/a]}") ==
        Texts{"fingerprint[0].take: `take` makes no sense with `header`"});
  CHECK(wrong("{body: /a, except: [/a]}") ==
        Texts{"fingerprint[0].except: `except` makes no sense with `body`"});
  CHECK(wrong("{body: /a, take: [/b], sort: true}") ==
        Texts{"fingerprint[0].sort: `sort` makes no sense with `body` and `take` without a `*` in "
              "the pointer, since one value is selected"});
  CHECK(wrong("{content: true, lower: true}") ==
        Texts{"fingerprint[0].lower: `lower` makes no sense with `content` unless `decode`, `json` "
              "or `capture` selects a text in it"});
  CHECK(wrong("{content: true, except: [/a], json: /b}") ==
        Texts{"fingerprint[0].except: `except` makes no sense with `content` beside `decode`, "
              "`json` or `capture`"});
  CHECK(wrong("{method: true, capture: \"(.)\"}") ==
        Texts{"fingerprint[0].capture: `capture` makes no sense with `method`"});
  CHECK(wrong("{client_key: a, decode: base64}") ==
        Texts{"fingerprint[0].decode: `decode` makes no sense with `client_key`"});
}

TEST_CASE("Values of keys that look inside a field are checked") {
  CHECK(wrong("{body: /a, decode: gzip}") ==
        Texts{"fingerprint[0].decode: expected base64 or percent, found \"gzip\""});
  CHECK(wrong("{body: /a, json: b}") ==
        Texts{"fingerprint[0].json: \"b\" is not a JSON Pointer; did you mean \"/b\"?"});
  CHECK(wrong("{body: /a, take: []}") ==
        Texts{"fingerprint[0].take: the list of JSON Pointers is empty"});
  CHECK(wrong("{body: /a, take: [/a, b]}").size() == 1);
  CHECK(wrong("{content: true, except: [\"\"]}") ==
        Texts{"fingerprint[0].except[0]: \"\" is the whole document, of which nothing would be "
              "left"});
  CHECK(wrong("{body: /a, capture: abc}") ==
        Texts{"fingerprint[0].capture: \"abc\" has no group; put ( ) round the part to take"});
  CHECK(wrong("{body: /a, capture: \"(a)|(b)\"}") ==
        Texts{"fingerprint[0].capture: \"(a)|(b)\" has 2 groups; leave one ( ) round the part to "
              "take, and write (?: ) for the others"});
  CHECK(wrong("{body: /a, capture: \"(\"}").size() == 1);
}

TEST_CASE("One field may be selected twice where something else is selected inside it") {
  const auto inside = [](const std::string& a, const std::string& b) {
    return policy_problems("fingerprint: [{form: f, " + a + "}, {form: f, " + b + "}]").size();
  };
  CHECK(inside("json: /a", "json: /b") == 0);
  CHECK(inside("json: /a", "lower: true") == 0);
  CHECK(inside("capture: \"a(.)\"", "capture: \"b(.)\"") == 0);
  CHECK(inside("json: /a", "json: /a, lower: true") == 1);
}

TEST_CASE("A client key names its header and may be narrowed") {
  const auto key = selector("{client_key: X-Key, pattern: \"[a-z]+\"}");
  CHECK(key.source == Source::client_key);
  CHECK(key.name == "X-Key");
  REQUIRE(key.pattern);
  CHECK(key.pattern->pattern() == "[a-z]+");
}

TEST_CASE("The word client_key is short for the draft's header") {
  const auto policy = loaded_policy("fingerprint: client_key");
  REQUIRE(policy.fingerprint.size() == 1);
  CHECK(policy.fingerprint[0].source == Source::client_key);
  CHECK(policy.fingerprint[0].name == "Idempotency-Key");
  CHECK(policy.fingerprint[0].text == "client_key: Idempotency-Key");
}

TEST_CASE("A selector names exactly one field") {
  CHECK(wrong("{lower: true}") ==
        Texts{"fingerprint[0]: a selector names one of header, query, path, cookie, body, form, "
              "method, target, content, xml, const, client_certificate or client_key"});
  CHECK(wrong("{header: a, query: b}") ==
        Texts{"fingerprint[0].query: a selector names one field, and `header` names one already; "
              "write two selectors"});
  CHECK(wrong("body") == Texts{"fingerprint[0]: expected a map, found \"body\""});
}

TEST_CASE("A modifier that makes no sense for the source is refused") {
  CHECK(wrong("{method: true, lower: true}") ==
        Texts{"fingerprint[0].lower: `lower` makes no sense with `method`"});
  CHECK(wrong("{header: a, sort: true}") ==
        Texts{"fingerprint[0].sort: `sort` makes no sense with `header` unless `json` selects an "
              "array in it"});
  CHECK(wrong("{header: a, pattern: b}") ==
        Texts{"fingerprint[0].pattern: `pattern` makes no sense with `header`"});
  CHECK(wrong("{client_key: a, default: b}") ==
        Texts{"fingerprint[0].default: `default` makes no sense with `client_key`"});
}

TEST_CASE("Names that no request can contain are refused") {
  CHECK(wrong("{header: \"a b\"}") ==
        Texts{"fingerprint[0].header: \"a b\" is not a valid header name"});
  CHECK(wrong("{header: Onceproxy-Fence}") ==
        Texts{"fingerprint[0].header: \"Onceproxy-Fence\" is removed from every request: clients "
              "cannot send it"});
  CHECK(wrong("{header: onceproxy_fence}").size() == 1);
  CHECK(wrong("{header: X_Request_Id}") ==
        Texts{"fingerprint[0].header: \"X_Request_Id\" is removed from every request: services may "
              "take it for X-Request-Id"});
  for (const char* name : {"x_forwarded_for", "content-type_", "Idempotency_Key", "x_mine"}) {
    CHECK(wrong("{header: " + std::string(name) + "}").size() ==
          (name[1] == '_' && name[2] == 'f'));
  }
  for (const char* name :
       {"Connection", "keep-alive", "TE", "trailer", "Upgrade", "expect", "Proxy-Authorization",
        "Content-Length", "Transfer-Encoding", "X-Envoy-Expected-Rq-Timeout-Ms"}) {
    CHECK(wrong("{header: " + std::string(name) + "}") ==
          Texts{"fingerprint[0].header: \"" + std::string(name) +
                "\" never reaches the service unchanged, so it cannot identify an operation; "
                "select another field"});
  }
  CHECK(wrong("{cookie: \"a;b\"}") ==
        Texts{"fingerprint[0].cookie: \"a;b\" is not a valid cookie name"});
  CHECK(wrong("{query: \"\"}") == Texts{"fingerprint[0].query: \"\" is not a name"});
  CHECK(wrong("{method: false}") == Texts{"fingerprint[0].method: expected true, found \"false\""});
}

TEST_CASE("A JSON Pointer begins with a slash") {
  CHECK(wrong("{body: id}") ==
        Texts{"fingerprint[0].body: \"id\" is not a JSON Pointer; did you mean \"/id\"?"});
  CHECK(wrong("{body: \"a b\"}") ==
        Texts{"fingerprint[0].body: \"a b\" is not a JSON Pointer: it must begin with '/' (the "
              "whole document is \"\")"});
  CHECK(
      wrong("{body: /a~2}") ==
      Texts{"fingerprint[0].body: \"/a~2\" is not a JSON Pointer: '~' is written ~0 and a '/' in a "
            "name ~1"});
  CHECK(wrong("{body: /a, round: 19}") ==
        Texts{"fingerprint[0].round: must be from 0 to 18, found \"19\""});
}

TEST_CASE("A field listed twice is refused") {
  CHECK(wrong("{body: /a}, {body: /b}, {body: /a, lower: true}") ==
        Texts{"fingerprint[2]: `body: /a` is listed twice"});
}

TEST_CASE("A selector may name others that are read where its field is missing") {
  const auto chain = selector(
      "{header: ce-id, trim: true, otherwise: {query: id, lower: true, otherwise: {body: /id, "
      "default: \"\"}}}");
  CHECK(chain.text == "header: ce-id, otherwise: {query: id, otherwise: {body: /id}}");
  REQUIRE(chain.otherwise);
  CHECK(chain.otherwise->source == Source::query);
  CHECK(chain.otherwise->lower);
  CHECK(!chain.otherwise->trim);
  REQUIRE(chain.otherwise->otherwise);
  CHECK(chain.otherwise->otherwise->pointer == std::vector<std::string>{"id"});
  CHECK(chain.otherwise->otherwise->default_value == "");
  CHECK(!selector("{header: a}").otherwise);
  CHECK(selector("{header: a, otherwise: {content: true}}").otherwise->source == Source::content);
}

TEST_CASE("A field that is always there, or has a default, has nothing to be read otherwise") {
  for (const std::string source : {"target: normal", "content: true"}) {
    const std::string name = source.substr(0, source.find(':'));
    CHECK(wrong("{" + source + ", otherwise: {header: b}}") ==
          Texts{"fingerprint[0].otherwise: `otherwise` makes no sense with `" + name +
                "` alone, which is always there"});
  }
  for (const std::string source : {"client_key: k", "method: true", "const: a"}) {
    const std::string name = source.substr(0, source.find(':'));
    CHECK(wrong("{" + source + ", otherwise: {header: b}}") ==
          Texts{"fingerprint[0].otherwise: `otherwise` makes no sense with `" + name + "`"});
  }
  CHECK(wrong("{header: a, default: b, otherwise: {header: c}}") ==
        Texts{"fingerprint[0].default: a field with a default is never missing, so `otherwise` "
              "would never be read; write `default` into the last `otherwise`"});
}

TEST_CASE("otherwise takes a complete selector that differs from the first one") {
  CHECK(wrong("{header: a, otherwise: b}") ==
        Texts{"fingerprint[0].otherwise: expected a map, found \"b\""});
  CHECK(wrong("{header: a, otherwise: {lower: true}}").size() == 1);
  CHECK(wrong("{header: a, otherwise: {client_key: k}}").size() == 1);
  CHECK(wrong("{header: a, otherwise: {heder: b}}") ==
        Texts{"fingerprint[0].otherwise.heder: unknown key \"heder\"; did you mean \"header\"?"});
  const std::string back =
      "fingerprint[0].otherwise: the chain comes back to `header: a`, which is missing by then";
  CHECK(wrong("{header: a, otherwise: {header: a, trim: true}}") == Texts{back});
  CHECK(wrong("{header: a, otherwise: {header: b, otherwise: {header: a}}}") == Texts{back});
  CHECK(policy_problems("match: {path: \"/{x}\", methods: [GET]}\nfingerprint: [{header: a, "
                        "otherwise: {path: y, otherwise: {body: /a}}}]")
            .size() == 2);
}

TEST_CASE("A place in JSON that is written as other tools write it is told as a pointer") {
  const auto meant = [](const std::string& written) {
    const Texts found = wrong("{body: '" + written + "'}");
    const std::size_t at = found.size() == 1 ? found[0].find("did you mean ") : std::string::npos;
    return at == std::string::npos ? "" : found[0].substr(at + 13);
  };
  CHECK(meant("order.id") == "\"/order/id\"?");
  CHECK(meant("$.alerts[0].id") == "\"/alerts/0/id\"?");
  CHECK(meant("$") == "\"\"?");
  CHECK(meant(".items[].sku") == "\"/items/*/sku\"?");
  CHECK(meant("$.items[*].a/b") == "");
  CHECK(meant("#/a/b") == "\"/a/b\"?");
  CHECK(meant("a[\"x/y\"].b") == "\"/a/x~1y/b\"?");
  CHECK(meant("/alerts[0]/fingerprint") == "\"/alerts/0/fingerprint\"?");
  CHECK(meant("/alerts[*]") == "\"/alerts/*\"?");
  CHECK(meant("/alerts/-") == "\"/alerts/*\"?");
  for (const char* good : {"/a-b", "/a/0", "/a[b", "/a/*/-1", "/a~0b/c.d"}) {
    CAPTURE(good);
    CHECK(wrong("{body: \"" + std::string(good) + "\"}") == Texts{});
  }
}

TEST_CASE("JSON's null is written in quotes") {
  CHECK(wrong("{body: /a, default: null}") ==
        Texts{"fingerprint[0].default: expected text, found nothing; for JSON's null write "
              "\"null\" in quotes, for empty text \"\""});
  CHECK(selector("{body: /a, default: \"null\"}").default_value == "null");
  CHECK(policy_problems("match: {where: [{body: /a, equals: ~}]}").size() == 1);
  CHECK(policy_problems("match: {where: [{body: /a, in: [null]}]}").size() == 1);
}

TEST_CASE("A condition that compares a whole media type is refused") {
  const Texts found = policy_problems("match: {where: [{header: Content-Type, equals: text/x}]}");
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("match.where[0].equals: a request with `; charset=utf-8`"));
  CHECK(policy_problems("match: {where: [{header: content-type, regex: 'text/x.*'}]}") == Texts{});
  CHECK(policy_problems("match: {where: [{header: accept, equals: text/x}]}") == Texts{});
  CHECK(policy_problems(
            "match: {where: [{header: content-type, capture: '([^;]*)', in: [a/b]}]}") == Texts{});
  const Texts of_answer = policy_problems(
      "outcome: {rules: [{where: {header: content-type, equals: a/b}, is: release}]}");
  REQUIRE(of_answer.size() == 1);
  CHECK(of_answer[0].find("an answer with `; charset=utf-8`") != std::string::npos);
}

TEST_CASE("RE2's own message says what is wrong with an expression") {
  CHECK(
      wrong("{client_key: a, pattern: \"(\"}") ==
      Texts{"fingerprint[0].pattern: \"(\" is not a valid regular expression (RE2): missing ): ("});
  CHECK(
      wrong("{client_key: a, pattern: \"(?=a)\"}") ==
      Texts{
          "fingerprint[0].pattern: \"(?=a)\" is not a valid regular expression (RE2): invalid perl "
          "operator: (?=; RE2 has no look-ahead and no look-behind"});
  const auto ends = [](const std::string& pattern, const std::string& end) {
    const Texts found = wrong("{client_key: a, pattern: '" + pattern + "'}");
    return found.size() == 1 && found[0].ends_with(end);
  };
  CHECK(ends("(?<id>a)", "; RE2 writes a named group (?P<name>…)"));
  CHECK(ends("(?<!a)b", "; RE2 has no look-ahead and no look-behind"));
  CHECK(ends("(a)\\1", "; RE2 has no back-references"));
}

TEST_CASE("A condition selects a field and tests it in one way") {
  const auto policy = loaded_policy(
      "match:\n  where:\n  - {body: /type, equals: 5}\n  - {header: x, in: [a, b]}\n"
      "  - {query: q, regex: a+, lower: true}");
  const auto& where = policy.match.where;
  REQUIRE(where.size() == 3);
  CHECK(where[0].any_of == std::vector<std::string>{"5"});
  CHECK(where[1].any_of == std::vector<std::string>{"a", "b"});
  CHECK(where[2].regex->pattern() == "a+");
  CHECK(where[2].selector.lower);
  CHECK(!where[1].regex);
}

TEST_CASE("A condition without a test, with two, or on a constant is refused") {
  CHECK(policy_problems("match: {where: [{body: /a}]}") ==
        Texts{"match.where[0]: a condition has one of equals, in, regex or present"});
  CHECK(policy_problems("match: {where: [{equals: a}]}") ==
        Texts{"match.where[0]: a selector names one of header, query, path, cookie, body, form, "
              "method, target, content, xml, const or client_certificate"});
  CHECK(policy_problems("match: {where: [{}]}").size() == 2);
  CHECK(policy_problems("match: {where: [{boddy: /a, equals: b}]}") ==
        Texts{"match.where[0].boddy: unknown key \"boddy\"; did you mean \"body\"?"});
  CHECK(policy_problems("match: {where: [{body: /a, equals: b, regex: c}]}") ==
        Texts{"match.where[0]: a condition has only one of equals or regex"});
  CHECK(policy_problems("match: {where: [{const: a, equals: a}]}") ==
        Texts{"match.where[0].const: a condition on a constant is always true or always false"});
  CHECK(policy_problems("match: {where: [{body: /a, in: []}]}") ==
        Texts{"match.where[0].in: the list of texts is empty"});
  CHECK(policy_problems("match: {where: []}") ==
        Texts{"match.where: the list of conditions is empty"});
}

}  // namespace
}  // namespace onceproxy::config
