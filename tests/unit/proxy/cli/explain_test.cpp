#include <catch2/catch.hpp>
#include <sstream>

#include "proxy/cli/commands.hpp"

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
- name: off
  match: {path: /off}
  fingerprint: [{body: /id}]
  scope: shared
  enforcement: {mode: off}
)";

Said said(std::string request) {
  const auto settings = config::load(policies, "f.yaml", config::process_environment());
  REQUIRE(settings);
  std::ostringstream out;
  std::ostringstream err;
  const int code = explain(*settings, std::move(request), out, err);
  return {code, out.str(), err.str()};
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

TEST_CASE("A malformed key says what is wrong with it") {
  const Said result = said(post("/keyed", "", "Idempotency-Key: a,b\r\n"));
  CHECK(result.code == exit_good);
  CHECK(has(value_of(result.out, "decision"), "400 bad-key: "));
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

TEST_CASE("What a request holds cannot drive the terminal") {
  const Said result = said(post("/pass", "{\"id\":\"a\\u001b[2Jb\xc2\x9b\"}"));
  CHECK(result.out.find('\x1b') == std::string::npos);
  CHECK(result.out.find("\xc2\x9b") == std::string::npos);
}

}  // namespace
}  // namespace onceproxy::cli
