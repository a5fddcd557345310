#include "proxy/admin/policy_endpoints.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "client.hpp"

namespace onceproxy::admin {
namespace {

using namespace std::chrono_literals;
using policies::AdaptiveLease;
using policies::Enforcement;
using Mode = Enforcement::Mode;

/// Two policies, and what was asked of them. Read after stop().
struct Program {
  std::vector<PolicyState> policies{
      {"dispatch", "rides", {Mode::enforce, 100}, {Mode::enforce, 100}, 30s},
      {"alerts",
       "alerts",
       {Mode::shadow, 5},
       {Mode::off, 100},
       12s,
       AdaptiveLeaseState{AdaptiveLease{5s, 300s, 2s}, 25, 4s}},
  };
  int changes = 0;
  Server server{{"127.0.0.1", 0, ""}};

  Program() {
    PolicyHooks hooks;
    hooks.list = [this] { return policies; };
    hooks.enforce = [this](const std::string& name,
                           const EnforcementChange& change) -> std::optional<PolicyState> {
      for (PolicyState& policy : policies) {
        if (policy.name != name) continue;
        ++changes;
        if (change.mode) policy.in_force.mode = *change.mode;
        if (change.percent) policy.in_force.percent = *change.percent;
        return policy;
      }
      return std::nullopt;
    };
    add_policy_endpoints(server, hooks);
    server.start();
  }

  std::string patch(const std::string& name, const std::string& sent) {
    return Client(server.address())
        .exchange_one("PATCH /policies/" + name + "/enforcement HTTP/1.1\r\nHost: x\r\n" +
                      "Content-Length: " + std::to_string(sent.size()) + "\r\n\r\n" + sent);
  }
};

TEST_CASE("policies are listed with what is in force and what is configured") {
  Program program;
  const std::string answer = fetch(program.server.address(), "GET", "/policies");
  CHECK(status(answer) == 200);
  CHECK(answer.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(body(answer) ==
        R"({"items":[{"name":"dispatch","namespace":"rides",)"
        R"("enforcement":{"mode":"enforce","percent":100},)"
        R"("configured":{"mode":"enforce","percent":100},"lease_ms":30000},)"
        R"({"name":"alerts","namespace":"alerts","enforcement":{"mode":"shadow","percent":5},)"
        R"("configured":{"mode":"off","percent":100},"lease_ms":12000,)"
        R"("adaptive_lease":{"observed":25,"p99_ms":4000,"min_ms":5000,"max_ms":300000,)"
        R"("never_below_ms":2000}}]})"
        "\n");
  CHECK(status(fetch(program.server.address(), "GET", "/policies?limit=1")) == 400);
}

TEST_CASE("no policies are an empty list") {
  Program program;
  program.policies.clear();
  CHECK(body(fetch(program.server.address(), "GET", "/policies")) == "{\"items\":[]}\n");
}

TEST_CASE("mode and percent are changed, together or one alone, and answered as they are then") {
  Program program;
  CHECK(body(program.patch("dispatch", R"({"mode":"shadow","percent":25})")) ==
        R"({"name":"dispatch","namespace":"rides","enforcement":{"mode":"shadow","percent":25},)"
        R"("configured":{"mode":"enforce","percent":100},"lease_ms":30000})"
        "\n");
  CHECK(status(program.patch("dispatch", R"({"percent":0})")) == 200);
  CHECK(status(program.patch("dispatch", R"({"mode":"off"})")) == 200);
  CHECK(status(program.patch("%61lerts", R"({"percent":100})")) == 200);
  program.server.stop();
  CHECK(program.changes == 4);
  CHECK(program.policies[0].in_force.mode == Mode::off);
  CHECK(program.policies[0].in_force.percent == 0);
  CHECK(program.policies[1].in_force.mode == Mode::shadow);
  CHECK(program.policies[1].in_force.percent == 100);
}

TEST_CASE("a change that is not valid is refused with the name of the field, and changes nothing") {
  Program program;
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"({"mode":"on"})", "mode: "},
      {R"({"mode":null})", "mode: "},
      {R"({"mode":"shadow","percent":101})", "percent: "},
      {R"({"percent":-1})", "percent: "},
      {R"({"percent":1.5})", "percent: "},
      {R"({"percent":"50"})", "percent: "},
      {R"({"percent":true})", "percent: "},
      {R"({"mode":"off","percentage":1})", "percentage: "},
      {R"({})", "JSON object"},
      {R"([1])", "JSON object"},
      {R"({"mode":"off","mode":"off"})", "JSON object"},
      {"", "JSON object"},
  };
  for (const auto& [sent, named] : wrong) {
    const std::string answer = program.patch("dispatch", sent);
    INFO(sent);
    CHECK(status(answer) == 400);
    CHECK(body(answer).find(named) != std::string::npos);
  }
  program.server.stop();
  CHECK(program.changes == 0);
}

TEST_CASE("an unknown policy is 404, another method 405") {
  Program program;
  const std::string unknown = program.patch("other", R"({"mode":"off"})");
  CHECK(status(unknown) == 404);
  CHECK(body(unknown).find("other") != std::string::npos);
  const std::string& address = program.server.address();
  CHECK(status(fetch(address, "GET", "/policies/dispatch/enforcement")) == 405);
  CHECK(status(fetch(address, "POST", "/policies", "Content-Length: 0\r\n")) == 405);
  CHECK(status(fetch(address, "GET", "/policies/dispatch")) == 404);
}

}  // namespace
}  // namespace onceproxy::admin
