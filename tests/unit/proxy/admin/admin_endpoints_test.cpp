#include "proxy/admin/admin_endpoints.hpp"

#include <catch2/catch.hpp>
#include <regex>
#include <string>
#include <vector>

#include "client.hpp"

namespace onceproxy::admin {
namespace {

using namespace std::chrono_literals;
using gate::Decision;
using telemetry::LogLevel;

/// Hooks that note what they were asked to do. Read after stop().
struct Program {
  telemetry::Metrics metrics{"1.2.3"};
  telemetry::WorkerMetrics& worker = metrics.add_worker();
  std::vector<std::string> done;
  UpstreamState upstream{"legacy:8081", "10.0.0.7:8081", 3, 1024, 2, 0, 0};
  bool reloads = true;
  Server server{{"127.0.0.1", 0, ""}};

  explicit Program(ServerState state = ServerState::live) {
    AdminHooks hooks;
    hooks.version = "1.2.3";
    hooks.started = std::chrono::steady_clock::now() - 12s - 500ms;
    hooks.state = [state] { return state; };
    hooks.options = [] {
      return telemetry::JsonObject({{"drain_time", "30s"}, {"config_path", "a\"b"}});
    };
    hooks.ready = []() -> std::optional<std::string> { return "draining"; };
    hooks.config_dump = [] { return std::string("{\"listen\":\"0.0.0.0:8080\"}\n"); };
    hooks.upstream = [this] { return upstream; };
    hooks.reload = [this] {
      done.push_back("reload");
      return ReloadReport{reloads, "{\"status\":\"told\"}\n"};
    };
    hooks.listeners = [] { return NamedTexts{{"data", "0.0.0.0:8080"}}; };
    hooks.set_log_level = [this](LogLevel level) {
      done.push_back("level " + std::to_string(static_cast<int>(level)));
    };
    hooks.fail_health_check = [this](bool fail) { done.push_back(fail ? "fail" : "ok"); };
    hooks.drain_listeners = [this] { done.push_back("drain"); };
    hooks.quit = [this] { done.push_back("quit"); };
    add_admin_endpoints(server, metrics, hooks);
    server.start();
  }
  std::string get(const std::string& target) { return fetch(server.address(), "GET", target); }
  std::string post(const std::string& target) {
    return fetch(server.address(), "POST", target, "Content-Length: 0\r\n");
  }
};

TEST_CASE("the list names every endpoint") {
  Program program;
  const std::string list = body(program.get("/"));
  CHECK(list == body(program.get("/help")));
  for (const char* line :
       {"  GET /clusters: ", "  GET /config_dump: ", "  GET /help: ", "  GET /listeners: ",
        "  GET /memory: ", "  GET /metrics: ", "  GET /ready: ", "  GET /server_info: ",
        "  GET /stats: ", "  GET /stats/prometheus: ", "  POST /drain_listeners: ",
        "  POST /healthcheck/fail: ", "  POST /healthcheck/ok: ", "  POST /logging: ",
        "  POST /quitquitquit: ", "  POST /reload: ", "  POST /reset_counters: "})
    CHECK(list.find(line) != std::string::npos);
}

TEST_CASE("server_info tells version, state and uptime as Envoy spells them") {
  Program program(ServerState::draining);
  CHECK(std::regex_match(
      body(program.get("/server_info")),
      std::regex(R"re(\{"version":"1\.2\.3","state":"DRAINING","uptime_current_epoch":"1\ds",)re"
                 R"re("uptime_all_epochs":"1\ds","hot_restart_version":"disabled",)re"
                 R"re("command_line_options":\{"drain_time":"30s","config_path":"a\\"b"\},)re"
                 R"re("node":\{"user_agent_name":"onceproxy"\}\}\n)re")));
  CHECK(body(Program(ServerState::live).get("/server_info")).find("\"LIVE\"") != std::string::npos);
  CHECK(body(Program(ServerState::pre_initializing).get("/server_info"))
            .find("\"PRE_INITIALIZING\"") != std::string::npos);
}

TEST_CASE("endpoints show the values of the hooks") {
  Program program;
  CHECK(status(program.get("/ready")) == 503);
  CHECK(body(program.get("/ready")) == "draining\n");
  CHECK(body(program.get("/listeners")) == "data::0.0.0.0:8080\n");
  CHECK(body(program.get("/config_dump")) == "{\"listen\":\"0.0.0.0:8080\"}\n");
  CHECK(std::regex_match(
      body(program.get("/memory")),
      std::regex(
          R"re(\{"allocated":"\d+","heap_size":"\d+","total_physical_bytes":"[1-9]\d+"\}\n)re")));
}

TEST_CASE("clusters tells the upstream in Envoy's lines") {
  Program program;
  const auto p = program.metrics.policy("p");
  program.worker.upstream(p, 200, 1ms);
  program.worker.upstream(p, 404, 1ms);
  program.worker.upstream(telemetry::no_policy, 503, 1ms);
  program.worker.upstream(p, 0, 1ms);
  CHECK(body(program.get("/clusters")) ==
        "upstream::observability_name::upstream\n"
        "upstream::default_priority::max_connections::1024\n"
        "upstream::added_via_api::false\n"
        "upstream::10.0.0.7:8081::rq_error::2\n"
        "upstream::10.0.0.7:8081::rq_success::2\n"
        "upstream::10.0.0.7:8081::rq_total::4\n"
        "upstream::10.0.0.7:8081::cx_active::3\n"
        "upstream::10.0.0.7:8081::rq_pending_active::2\n"
        "upstream::10.0.0.7:8081::hostname::legacy:8081\n"
        "upstream::10.0.0.7:8081::health_flags::healthy\n"
        "upstream::10.0.0.7:8081::weight::1\n");
  Program limited;
  limited.upstream = {"legacy:8081", "", 0, 10, 0, 1, 4};
  const std::string lines = body(limited.get("/clusters?format=text"));
  CHECK(lines.find("\nupstream::default_priority::max_requests::4\n") != std::string::npos);
  CHECK(lines.find("\nupstream::unresolved::rq_active::1\n") != std::string::npos);
}

TEST_CASE("clusters as JSON has Envoy's names, and a host for each address") {
  Program program;
  program.upstream = {"legacy:8081", "10.0.0.7:8081, [fd00::1]:8081", 3, 1024, 2, 1, 4};
  CHECK(body(program.get("/clusters?format=json")) ==
        R"({"cluster_statuses":[{"name":"upstream","host_statuses":[)"
        R"({"address":{"socket_address":{"address":"10.0.0.7","port_value":8081}},"stats":[)"
        R"({"name":"rq_error","value":"0"},{"name":"rq_success","value":"0"},)"
        R"({"name":"rq_total","value":"0"},{"name":"cx_active","value":"3","type":"GAUGE"},)"
        R"({"name":"rq_active","value":"1","type":"GAUGE"},)"
        R"({"name":"rq_pending_active","value":"2","type":"GAUGE"}],)"
        R"("health_status":{"eds_health_status":"HEALTHY"},"weight":1,"hostname":"legacy:8081",)"
        R"("locality":{}},)"
        R"({"address":{"socket_address":{"address":"fd00::1","port_value":8081}},"stats":[],)"
        R"("health_status":{"eds_health_status":"HEALTHY"},"weight":1,"hostname":"legacy:8081",)"
        R"("locality":{}}],"circuit_breakers":{"thresholds":[{"max_connections":1024,)"
        R"("max_requests":4}]},"observability_name":"upstream"}]})"
        "\n");
  program.upstream = {"unix:/run/legacy", "unix:/run/legacy", 0, 1, 0, 0, 0};
  CHECK(body(program.get("/clusters?format=json"))
            .find(R"("address":{"pipe":{"path":"/run/legacy"}})") != std::string::npos);
  program.upstream.found = "";
  CHECK(body(program.get("/clusters?format=json")).find(R"("host_statuses":[])") !=
        std::string::npos);
  for (const char* query : {"?format=prometheus", "?format=", "?x=1", "?format=json&format=json"}) {
    CHECK(status(program.get("/clusters" + std::string(query))) == 400);
  }
}

TEST_CASE("listeners as JSON has Envoy's names") {
  Program program;
  CHECK(body(program.get("/listeners?format=json")) ==
        R"({"listener_statuses":[{"name":"data","local_address":{"socket_address":)"
        R"({"address":"0.0.0.0","port_value":8080}}}]})"
        "\n");
  CHECK(status(program.get("/listeners?format=xml")) == 400);
}

TEST_CASE("A duration is written as protobuf writes one in JSON") {
  CHECK(duration_text(30s) == "30s");
  CHECK(duration_text(500ms) == "0.500s");
  CHECK(duration_text(1'005ms) == "1.005s");
}

TEST_CASE("stats are filtered by a regular expression, as text and as JSON") {
  Program program;
  program.worker.request(program.metrics.policy("p"), Decision::forwarded, 1ms);
  CHECK(body(program.get("/stats?filter=requests_total.*%22forwarded%22")) ==
        "onceproxy_requests_total{policy=\"p\",decision=\"forwarded\"}: 1\n");
  CHECK(body(program.get("/stats?format=json&filter=requests_total.*%22forwarded%22")) ==
        R"({"stats":[{"name":"onceproxy_requests_total{policy=\"p\",decision=\"forwarded\"}",)"
        R"("value":1}]})"
        "\n");
  CHECK(body(program.get("/stats?filter=^no_such$")).empty());
  CHECK(body(program.get("/stats?format=json&filter=^no_such$")) == "{\"stats\":[]}\n");
  const std::string refused = program.get("/stats?filter=(");
  CHECK(status(refused) == 400);
  CHECK(body(refused).starts_with("filter: not a valid regular expression (RE2): "));
  CHECK(status(program.get("/stats?filter=" + std::string(1'025, 'a'))) == 400);
  CHECK(status(program.get("/stats?filter=(x%7B1000%7D)%7B1000%7D")) == 400);
}

TEST_CASE("reload answers what came of it, and 500 when nothing did") {
  Program program;
  CHECK(status(program.get("/reload")) == 405);
  const std::string answer = program.post("/reload");
  CHECK(status(answer) == 200);
  CHECK(answer.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(body(answer) == "{\"status\":\"told\"}\n");
  program.server.stop();
  CHECK(program.done == std::vector<std::string>{"reload"});

  Program failing;
  failing.reloads = false;
  const std::string failure = failing.post("/reload");
  CHECK(status(failure) == 500);
  CHECK(body(failure) == "{\"status\":\"told\"}\n");
}

TEST_CASE("stats are name: value lines without buckets; the Prometheus formats are the same") {
  Program program;
  program.worker.request(program.metrics.policy("p"), Decision::forwarded, 1ms);
  const std::string lines = "\n" + body(program.get("/stats"));
  CHECK(lines.find("\nonceproxy_requests_total{policy=\"p\",decision=\"forwarded\"}: 1\n") !=
        std::string::npos);
  CHECK(lines.find("_bucket") == std::string::npos);
  CHECK(lines.find("\nonceproxy_request_duration_seconds_count{policy=\"p\","
                   "decision=\"forwarded\"}: 1\n") != std::string::npos);
  CHECK(lines.find('#') == std::string::npos);
  for (const char* path : {"/metrics", "/stats/prometheus", "/stats?format=prometheus"})
    CHECK(body(program.get(path)).find("# TYPE onceproxy_requests_total counter\n") !=
          std::string::npos);
  for (const char* path : {"/stats?format=xml", "/stats?usedonly", "/stats?format=text&format=text",
                           "/stats?format=prometheus&filter=a"})
    CHECK(status(program.get(path)) == 400);
}

TEST_CASE("reset_counters resets what stats shows, and nothing a scraper sees") {
  Program program;
  const auto p = program.metrics.policy("p");
  const std::string name = "onceproxy_requests_total{policy=\"p\",decision=\"forwarded\"}";
  program.worker.request(p, Decision::forwarded, 1ms);
  program.worker.connection(telemetry::Side::client, 1);
  CHECK(status(program.post("/reset_counters")) == 200);
  const std::string reset = body(program.get("/stats"));
  CHECK(reset.find(name + ": 0\n") != std::string::npos);
  CHECK(reset.find("onceproxy_connections{side=\"client\"}: 1\n") != std::string::npos);
  CHECK(body(program.get("/metrics")).find(name + " 1\n") != std::string::npos);
  program.worker.request(p, Decision::forwarded, 1ms);
  CHECK(body(program.get("/stats")).find(name + ": 1\n") != std::string::npos);
}

TEST_CASE("each action reaches its hook, by POST alone") {
  Program program;
  for (const std::string path :
       {"/logging?level=debug", "/logging?level=warning", "/healthcheck/fail", "/healthcheck/ok",
        "/drain_listeners", "/quitquitquit", "/reset_counters"}) {
    CHECK(status(program.get(path)) == 405);
    const std::string answer = program.post(path);
    CHECK(status(answer) == 200);
    CHECK(body(answer) == "OK\n");
  }
  program.server.stop();
  CHECK(program.done ==
        std::vector<std::string>{"level 1", "level 3", "fail", "ok", "drain", "quit"});
}

TEST_CASE("a log level that is none changes nothing") {
  Program program;
  for (const char* path :
       {"/logging", "/logging?level=loud", "/logging?level=", "/logging?level=info&level=debug",
        "/logging?paths=a:debug", "/logging?level=info&x=y"})
    CHECK(status(program.post(path)) == 400);
  program.server.stop();
  CHECK(program.done.empty());
}

TEST_CASE("an endpoint without its hook does not exist") {
  telemetry::Metrics metrics("1");
  Server server({"127.0.0.1", 0, ""});
  add_admin_endpoints(server, metrics, {});
  server.start();
  CHECK(status(fetch(server.address(), "POST", "/quitquitquit")) == 404);
  CHECK(status(fetch(server.address(), "GET", "/server_info")) == 404);
  CHECK(body(fetch(server.address(), "GET", "/help")).find("quitquitquit") == std::string::npos);
  CHECK(status(fetch(server.address(), "GET", "/stats")) == 200);
}

}  // namespace
}  // namespace onceproxy::admin
