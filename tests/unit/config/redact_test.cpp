#include "config/redact.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::config {
namespace {

std::optional<std::string> variables(const std::string& name) {
  if (name == "SET") return "hunter2";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

std::string shown(std::string_view text) {
  return telemetry::json_text(redacted(text, variables));
}

TEST_CASE("a configuration is shown as it is written, numbers and flags as such") {
  CHECK(shown("listen: 127.0.0.1:8080\nworkers: 2\nlimits: {headers: 007}\n"
              "policies: [{name: a, payload: [{method: true}], x: 1.0, y: \"5\"}]\n") ==
        R"({"listen":"127.0.0.1:8080","workers":2,"limits":{"headers":"007"},)"
        R"("policies":[{"name":"a","payload":[{"method":true}],"x":"1.0","y":"5"}]})");
}

TEST_CASE("a value from an environment variable is not shown; a default in the file is") {
  CHECK(shown("a: ${SET}\nb: x-${SET}-y\nc: ${UNSET:-d}\nd: ${EMPTY:-e}\n") ==
        R"({"a":"[redacted]","b":"x-[redacted]-y","c":"d","d":"e"})");
}

TEST_CASE("the values of header fields are not shown, wherever they stand") {
  CHECK(shown("match: {headers: {x-token: s3cret, x: {regex: s.*}}}\n"
              "respond: {stale: {headers: {authorization: s3cret}, body: ok}}\n"
              "limits: {headers: 100}\n") ==
        R"({"match":{"headers":{"x-token":"[redacted]","x":{"regex":"[redacted]"}}},)"
        R"("respond":{"stale":{"headers":{"authorization":"[redacted]"},"body":"ok"}},)"
        R"("limits":{"headers":100}})");
}

TEST_CASE("values that headers, cookies or query parameters are compared with are not shown") {
  CHECK(shown("- {header: x-token, equals: s3cret}\n- {cookie: c, in: [s3cret, t]}\n"
              "- {query: q, regex: s.*}\n- {header: h, default: s3cret, lower: true}\n"
              "- {body: /type, equals: dispatch}\n") ==
        R"([{"header":"x-token","equals":"[redacted]"},)"
        R"({"cookie":"c","in":["[redacted]","[redacted]"]},)"
        R"({"query":"q","regex":"[redacted]"},)"
        R"({"header":"h","default":"[redacted]","lower":true},)"
        R"({"body":"/type","equals":"dispatch"}])");
}

TEST_CASE("a URL that carries a password is not shown") {
  CHECK(shown("a: postgres://me:pw@host/db\nb: https://host/path\nc: https://token@host/\n") ==
        R"({"a":"postgres://me:[redacted]@host/db","b":"https://host/path","c":"[redacted]"})");
}

TEST_CASE("text that is not valid YAML is shown as null") {
  CHECK(shown("{") == "null");
}

}  // namespace
}  // namespace onceproxy::config
