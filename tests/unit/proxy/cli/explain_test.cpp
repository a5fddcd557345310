#include <catch2/catch.hpp>
#include <sstream>

#include "policies/pointer.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/sheet.hpp"

namespace onceproxy::cli {
namespace {

struct Said {
  int code;
  std::string out;
  std::string err;
};

const std::string policies = R"(
listen: 127.0.0.1:0
upstream: {address: "127.0.0.1:1"}
limits: {body_bytes: 200}
policies:
- name: dispatch
  match: {path: "/v1/rides/{ride_id}/dispatch"}
  fingerprint: [{path: ride_id}, {body: /driver_id}]
  scope: [{header: authorization, default: nobody}]
  payload: [{content: true}]
  lease: 5s
- name: key
  match: {path: /keyed}
  fingerprint: client_key
  scope: shared
- name: pass
  match: {path: /pass}
  fingerprint: [{body: /id}]
  on_missing: pass
  on_duplicate: {status: 202}
  outcome: {unknown: hold}
- name: ruled
  match: {path: /ruled}
  fingerprint: [{header: x-id}]
  scope: shared
  replay: {max_body: 64}
  outcome:
    rules:
      - where: [{body: /errors, present: true}, {body: /data, present: false}]
        is: release
      - where: {status: 418}
        is: ambiguous
- name: named
  match: {path: /named}
  fingerprint: [{header: x-id}]
  scope: shared
- name: off
  match: {path: /off}
  fingerprint: [{body: /id}]
  scope: shared
  enforcement: {mode: off}
)";

Said said(const config::Settings& settings, std::string request) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = explain(settings, std::move(request), out, err);
  return {code, out.str(), err.str()};
}

config::Settings loaded() {
  auto settings = config::load(policies, "f.yaml", config::process_environment());
  REQUIRE(settings);
  return *std::move(settings);
}

Said said(std::string request) {
  return said(loaded(), std::move(request));
}

std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

std::string value_of(const std::string& text, const std::string& label) {
  const std::size_t at = text.find("\n" + label + " ");
  if (at == std::string::npos) return "";
  const std::size_t begin = text.find_first_not_of(' ', at + 1 + label.size());
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_CASE("A covered request shows its policy, fields, fingerprint, payload and terms") {
  const Said result = said(post("/v1/rides/r1/dispatch?x=1", R"({"driver_id":"d1"})"));
  CHECK(result.code == exit_good);
  CHECK(result.err.empty());
  CHECK(value_of(result.out, "policy") == "dispatch");
  CHECK(value_of(result.out, "fingerprint").size() == 64);
  CHECK(value_of(result.out, "payload").size() == 64);
  CHECK(has(result.out, "request       POST /v1/rides/r1/dispatch\n"));
  CHECK(has(result.out, "\n  path: ride_id = r1\n"));
  CHECK(has(result.out, "\n  body: /driver_id = d1\n"));
  CHECK(has(result.out, "\n  header: authorization = nobody\n"));
  CHECK(has(result.out, "\n  content: true = {\"driver_id\":\"d1\"}\n"));
  CHECK(value_of(result.out, "lease") == "5s");
  CHECK(value_of(result.out, "window") == "24h");
  CHECK(value_of(result.out, "unknown") == "retry");
  CHECK(value_of(result.out, "duplicate") == "replay");
}

TEST_CASE("Two spellings of one request have one fingerprint") {
  const Said a = said(post("/v1/rides/r1/dispatch", R"({"driver_id":"d1","n":1})"));
  const Said b = said(post("/v1//rides/%72%31/./dispatch", R"({ "n": 1.0, "driver_id": "d1" })"));
  CHECK(value_of(a.out, "fingerprint") == value_of(b.out, "fingerprint"));
  CHECK(value_of(a.out, "payload") == value_of(b.out, "payload"));
  const Said c =
      said(post("/v1/rides/r1/dispatch", R"({"driver_id":"d1"})", "Authorization: x\r\n"));
  CHECK(value_of(c.out, "fingerprint") != value_of(a.out, "fingerprint"));
}

TEST_CASE("A request that no policy covers says that it passes") {
  const Said result = said("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(result.code == exit_good);
  CHECK(value_of(result.out, "policy") == "none: the request passes through untouched");
}

TEST_CASE("A missing field is named, with what the request gets") {
  const Said rejected = said(post("/v1/rides/r1/dispatch", "{}"));
  CHECK(rejected.code == exit_good);
  CHECK(has(rejected.out, "\n  body: /driver_id is missing\n"));
  CHECK(value_of(rejected.out, "fingerprint") == "none");
  CHECK(value_of(rejected.out, "decision") == "400 missing-key: body: /driver_id is missing");
  const Said passed = said(post("/pass", "{}"));
  CHECK(value_of(passed.out, "decision") ==
        "forwarded unprotected (on_missing: pass): body: /id is missing");
}

TEST_CASE("It is told as what the body is read, and where it cannot be read") {
  CHECK(value_of(said(post("/pass", R"({"id":1})")).out, "body") == "JSON");
  CHECK(value_of(said(post("/pass", "")).out, "body") == "none");
  const Said text = said(post("/pass", "id=1"));
  CHECK(value_of(text.out, "body") == "not JSON: a JSON value is missing at byte 0");
  CHECK(
      has(text.out,
          "\n  body: /id is missing (the body is not JSON: a JSON value is missing at byte 0)\n"));
  const auto typed = [](const std::string& type, const std::string& body) {
    return value_of(said(post("/pass", body, "Content-Type: " + type + "\r\n")).out, "body");
  };
  CHECK(typed("application/x-www-form-urlencoded", "id=1") == "a form");
  CHECK(typed("text/plain", R"({"id":1})") ==
        "JSON, though Content-Type does not say so: as content, not canonical");
  const std::string parts = "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--X--";
  CHECK(typed("multipart/form-data; boundary=X", parts) == "a form of 1 parts");
  CHECK(typed("multipart/form-data; boundary=Y", parts) ==
        "The body is not valid multipart/form-data: the first boundary is missing at byte 0.");
  const std::string why = "The body is not valid JSON: a member name is repeated at byte 8.";
  const Said passed = said(post("/pass", R"({"id":1,"id":1})"));
  CHECK(value_of(passed.out, "body") == why);
  CHECK(has(passed.out, "\n  body: /id cannot be read: " + why + "\n"));
  CHECK(value_of(passed.out, "decision") == "forwarded unprotected (on_unreadable: pass): " + why);
  const Said refused = said(post("/v1/rides/r1/dispatch", R"({"driver_id":NaN})"));
  CHECK(value_of(refused.out, "decision") ==
        "400 unreadable: The body is not valid JSON: a JSON value is missing at byte 13.");
}

TEST_CASE("Requests that the proxy would not forward are refused") {
  const Said refused = said(post("/named", "", "X-Id: a\r\nConnection: x-id\r\n"));
  CHECK(refused.code == exit_bad);
  CHECK(refused.err == "bad request (400): Connection names a field that a policy reads.\n");
  const Said other = said(post("/pass", R"({"id":1})", "Connection: x-id\r\nX-Id: a\r\n"));
  CHECK(other.code == exit_good);
}

TEST_CASE("A malformed key says what is wrong with it") {
  const Said result = said(post("/keyed", "", "Idempotency-Key: a,b\r\n"));
  CHECK(result.code == exit_good);
  CHECK(value_of(result.out, "decision") ==
        "400 bad-key: Idempotency-Key: the key has a character it may not have");
  CHECK(has(result.out, " is malformed: the key has a character it may not have\n"));
}

TEST_CASE("A fixed answer, a hold and a policy that is off are said") {
  const Said fixed = said(post("/pass", R"({"id":1})"));
  CHECK(value_of(fixed.out, "duplicate") == "fixed answer 202");
  CHECK(value_of(fixed.out, "unknown") == "hold");
  CHECK(value_of(fixed.out, "payload") == "not compared");
  CHECK(value_of(fixed.out, "scope") == "shared");
  CHECK(value_of(said(post("/off", R"({"id":1})")).out, "policy") ==
        "off (off: the request passes through)");
}

TEST_CASE("A request that would be refused for its form says why") {
  const auto refused = [](const std::string& request) {
    const Said result = said(request);
    CHECK(result.code == exit_bad);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK(refused("POST / HTTP/1.1\r\nHost: a\r\n") ==
        "bad request (400): the head does not end: an empty line is missing\n");
  CHECK(has(refused("POST / HTTP/1.1\r\n\r\n"), "bad request (400): "));
  CHECK(has(refused("POST / HTTP/9.9\r\nHost: a\r\n\r\n"), "bad request (505): "));
  CHECK(refused(post("/a%2fb", "")) ==
        "bad request (400): the path has an encoded slash, backslash or NUL\n");
  CHECK(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc") ==
        "bad request (400): the body breaks off: Content-Length is 5, and 3 bytes follow\n");
  CHECK(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc") ==
        "bad request (400): the chunked body breaks off\n");
  CHECK(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz") ==
        "bad request (400): malformed chunked body\n");
  CHECK(refused(post("/pass", std::string(201, 'x'))) ==
        "bad request (413): the body is larger than limits.body_bytes\n");
}

TEST_CASE("A chunked body is put together") {
  const Said chunked = said(
      "POST /pass HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\n{\"id\r\n4\r\n\":1}\r\n0\r\n\r\n");
  CHECK(value_of(chunked.out, "fingerprint") ==
        value_of(said(post("/pass", "{\"id\":1}")).out, "fingerprint"));
}

TEST_CASE("A request from an editor, without CR and without a length, is understood") {
  const Said result = said("POST /pass HTTP/1.1\nHost: a\n\n{\"id\":1}\n");
  CHECK(value_of(result.out, "fingerprint") ==
        value_of(said(post("/pass", "{\"id\":1}")).out, "fingerprint"));
}

TEST_CASE("Control characters of a request do not reach the terminal") {
  const Said result = said(post("/pass", "{\"id\":\"a\\u001b[2Jb\xc2\x9b\"}"));
  CHECK(result.out.find('\x1b') == std::string::npos);
  CHECK(result.out.find("\xc2\x9b") == std::string::npos);
}

policies::Selector body_field(std::string pointer) {
  policies::Selector out;
  out.source = policies::Source::body;
  out.pointer = policies::parse_pointer(pointer).value();
  out.text = "body: " + pointer;
  out.name = std::move(pointer);
  return out;
}

/// The dispatch policy with an entity and, for what is critical, a rate limit and other terms.
config::Settings settings_of_rides() {
  config::Settings settings = loaded();
  policies::Policy& policy = settings.policies.front();
  policy.entity.emplace();
  policy.entity->type = "ride";
  policy.entity->id = {policy.fingerprint.front(), body_field("/leg")};
  policy.entity->sequence = body_field("/sequence");
  policy.entity->closes = std::chrono::hours(24);
  policy.entity->unless_closed = true;
  policy.enforcement = {policies::Enforcement::Mode::shadow, 20};
  policies::Policy critical = policy;
  critical.terms.lease = std::chrono::seconds(7);
  critical.in_flight = {policies::InFlightRule::Action::wait, std::chrono::seconds(3)};
  critical.rate_limit = policies::RateLimit{60, std::chrono::hours(1), {body_field("/driver_id")}};
  policy.overrides = {{{{body_field("/kind"), {}, std::make_shared<re2::RE2>("x+")}},
                       std::make_shared<policies::Policy>(policy)},
                      {{{body_field("/severity"), {"critical", "page"}, nullptr}},
                       std::make_shared<policies::Policy>(std::move(critical))}};
  return settings;
}

const std::string leg = R"({"driver_id":"d1","leg":2,"sequence":1e2)";

TEST_CASE("An entity shows its type, id, sequence and what it does") {
  const Said result = said(settings_of_rides(), post("/v1/rides/r1/dispatch", leg + "}"));
  CHECK(result.code == exit_good);
  CHECK(value_of(result.out, "entity") == "ride r1/2");
  CHECK(has(result.out, "\n  path: ride_id = r1\n  body: /leg = 2\nturn "));
  CHECK(value_of(result.out, "turn") == "waits 5s");
  CHECK(value_of(result.out, "sequence") == "100");
  CHECK(value_of(result.out, "closes") == "for 24h");
  CHECK(value_of(result.out, "unless_closed") == "refused while the entity is closed");
  CHECK(value_of(said(post("/pass", "{\"id\":1}")).out, "entity") == "none");
}

TEST_CASE("Enforcement and what a duplicate under way gets are said") {
  config::Settings settings = settings_of_rides();
  const auto shown = [&](int percent, const std::string& body) {
    settings.policies.front().enforcement.percent = percent;
    return value_of(said(settings, post("/v1/rides/r1/dispatch", body)).out, "enforcement");
  };
  CHECK(shown(100, leg + "}") == "shadow");
  CHECK(shown(0, leg + "}") == "shadow for 0% of fingerprints, this one passes through");
  CHECK(shown(20, "{}") == "shadow for 20% of fingerprints");
  // Every fingerprint gets in at some percentage, and stays in at every higher one.
  const std::string among = ", this one among them";
  int inside = 0;
  for (int percent = 1; percent < 100; ++percent) {
    const std::string text = shown(percent, leg + "}");
    inside += text.ends_with(among) ? 1 : 0;
    CHECK((inside == 0 || text.ends_with(among)));
  }
  CHECK(inside > 0);
  const Said pass = said(post("/pass", "{\"id\":1}"));
  CHECK(value_of(pass.out, "enforcement") == "enforce");
  CHECK(value_of(pass.out, "in_flight") == "reject");
  CHECK(value_of(said(post("/off", "{\"id\":1}")).out, "enforcement") == "off");
}

TEST_CASE("The override that applies is shown with its conditions, and its terms hold") {
  const config::Settings settings = settings_of_rides();
  const Said second =
      said(settings, post("/v1/rides/r1/dispatch", leg + R"(,"kind":"y","severity":"page"})"));
  CHECK(value_of(second.out, "override") == "2 of 2");
  CHECK(has(second.out, "\n  body: /severity is critical or page\n"));
  CHECK(value_of(second.out, "lease") == "7s");
  CHECK(value_of(second.out, "in_flight") == "wait 3s");
  CHECK(value_of(second.out, "rate_limit") == "60 per 1h");
  CHECK(has(second.out, "\n  body: /driver_id = d1\nbucket "));
  CHECK(value_of(second.out, "bucket").size() == 64);

  const Said first =
      said(settings, post("/v1/rides/r1/dispatch", leg + R"(,"kind":"xx","severity":"page"})"));
  CHECK(value_of(first.out, "override") == "1 of 2");
  CHECK(has(first.out, "\n  body: /kind matches x+\n"));

  const Said none = said(settings, post("/v1/rides/r1/dispatch", leg + "}"));
  CHECK(value_of(none.out, "override") == "none of 2");
  CHECK(value_of(none.out, "lease") == "5s");
  CHECK(value_of(none.out, "rate_limit") == "none");
  CHECK(value_of(none.out, "in_flight") == "reject");
  CHECK_FALSE(has(said(post("/pass", "{\"id\":1}")).out, "override"));
}

TEST_CASE("An answer shows what it says about the operation, and by which rule") {
  const std::string request = post("/ruled", "{}", "x-id: 1\r\n");
  const auto answered = [&](const std::string& answer) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = explain(loaded(), request, out, err, {nullptr, answer});
    return Said{code, out.str(), err.str()};
  };
  const auto says = [&](const std::string& answer) {
    return value_of(answered(answer).out, "answer");
  };
  const std::string ok = "HTTP/1.1 200 OK\n\n";
  CHECK(says(ok + R"({"errors":[1]})") == "200: release by outcome.rules[0]");
  CHECK(says(ok + R"({"errors":[1],"data":{}})") == "200: complete by its status");
  CHECK(says("HTTP/1.1 418\r\nContent-Length: 0\r\n\r\n") == "418: ambiguous by outcome.rules[1]");
  CHECK(
      says("HTTP/1.1 503\n\n" + std::string(100, 'x')) ==
      "503: ambiguous by its status, since a rule could not be evaluated: The body is larger than "
      "what is kept of it.");
  CHECK(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "c\r\n{\"errors\":1}\r\n0\r\n\r\n") == "200: release by outcome.rules[0]");
  const Said rules = answered(ok);
  CHECK(has(rules.out,
            "\nrules[0]      release where\n  body: /errors is present\n"
            "  body: /data is missing\nrules[1]      ambiguous where\n"
            "  status matches 418\n"));
  CHECK(answered("HTTP/9").code == exit_bad);
  CHECK(answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").err ==
        "bad answer: the body breaks off: Content-Length is 9, and 1 bytes follow\n");
  CHECK(value_of(said(request).out, "answer").empty());
}

TEST_CASE("A sequence that is no integer is said to have to be one") {
  const Said result = said(settings_of_rides(), post("/v1/rides/r1/dispatch",
                                                     R"({"driver_id":1,"leg":2,"sequence":1.5})"));
  CHECK(result.code == exit_good);
  CHECK(value_of(result.out, "sequence") == "none");
  CHECK(has(result.out, "\n  body: /sequence = 1.5\n"));
  CHECK(value_of(result.out, "entity") == "ride unknown");
  CHECK(value_of(result.out, "override") == "unknown, of 2");
  CHECK(value_of(result.out, "decision") ==
        "400 missing-key: body: /sequence is not an integer of 64 bits");
}

TEST_CASE("explain as JSON has the text's labels, and the fields beside them") {
  JsonSheet sheet;
  sheet.line("request", "POST /a");
  sheet.line("scope", "");
  sheet.field("header: a", "x\x1b");
  sheet.no_field("body: /b", "is missing");
  sheet.condition("body: /c", "is d");
  sheet.change("/e", "body: /f");
  CHECK(telemetry::json_text(sheet.json()) ==
        R"({"request":"POST /a","scope":null,"fields":{"scope":[)"
        R"({"selector":"header: a","value":"x\u001b"},)"
        R"({"selector":"body: /b","problem":"is missing"},)"
        R"({"selector":"body: /c","test":"is d"},)"
        R"({"selector":"/e","becomes":"body: /f"}]}})");
}

}  // namespace
}  // namespace onceproxy::cli
