#include "proxy/cli/doctor/envoy_check.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::doctor {
namespace {

const std::string file =
    "listen: 127.0.0.1:9900\n"
    "upstream: {address: \"127.0.0.1:8081\", response_timeout: 30s}\n"
    "policies:\n"
    "- {name: p, fingerprint: client_key, scope: shared, lease: 20s,\n"
    "   in_flight: {action: wait, timeout: 10s}}\n";

config::Settings settings() {
  const auto nothing = [](const std::string&) -> std::optional<std::string> { return {}; };
  auto loaded = config::load(file, "f.yaml", nothing);
  REQUIRE(loaded);
  return *std::move(loaded);
}

/// As an Envoy of 1.40 prints it, but for what nobody looks at.
struct Dump {
  std::string listener = "";
  std::string manager = "";
  std::string filters = R"({"name":"router","typed_config":{"@type":"x.Router"}})";
  std::string routes = "";
  std::string host = "";
  std::string cluster_port = "9900";
  /// Members of the cluster `service`.
  std::string service = "";

  std::string text() const {
    return R"({"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"},)"
           R"({"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump","static_clusters":[)"
           R"({"cluster":{"name":"onceproxy","load_assignment":{"cluster_name":"onceproxy",)"
           R"("endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":)"
           R"({"address":"127.0.0.1","port_value":)" +
           cluster_port + R"(}}}}]}]}}},{"cluster":{"name":"service")" + service + R"(}}]},)" +
           R"({"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump",)"
           R"("dynamic_listeners":[{"name":"in","active_state":{"listener":{"name":"in",)" +
           listener +
           R"("filter_chains":[{"filters":[{"name":"tcp","typed_config":{"@type":"x.TcpProxy"}},)"
           R"({"name":"http","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.)"
           R"(network.http_connection_manager.v3.HttpConnectionManager",)" +
           manager + R"("http_filters":[)" + filters +
           R"(],"rds":{"route_config_name":"r"}}}]}]}}}]},)"
           R"({"@type":"type.googleapis.com/envoy.admin.v3.RoutesConfigDump",)"
           R"("dynamic_route_configs":[{"route_config":{"name":"other"}},)"
           R"({"route_config":{"name":"r","virtual_hosts":[{"name":"v","domains":["*"],)" +
           host + R"("routes":[)" + routes + R"(]}]}}]}]})";
  }
};

const std::string sound_filter_members =
    R"("allow_mode_override":true,"message_timeout":"5s","max_message_timeout":"60s",)"
    R"("response_attributes":["response.code_details","upstream.request_attempt_count"])";

std::string ext_proc(const std::string& members) {
  return R"({"name":"ext","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.)"
         R"(http.ext_proc.v3.ExternalProcessor","grpc_service":{})" +
         (members.empty() ? "" : "," + members) + "}}";
}

std::string route(const std::string& action, const std::string& more = "") {
  return R"({"match":{"prefix":"/a"},"route":{)" + action + "}" + more + "}";
}

std::vector<std::string> warnings(const Dump& dump, const config::Settings& of = settings()) {
  std::vector<std::string> out;
  for (const Finding& finding : check_envoy(dump.text(), of)) {
    CHECK(finding.check == "envoy");
    CHECK(finding.health != Health::fail);
    if (finding.health == Health::warn) {
      CHECK_FALSE(finding.remedy.empty());
      out.push_back(finding.message);
    }
  }
  return out;
}

std::vector<std::string> of_filter(const std::string& members) {
  Dump dump;
  dump.filters = ext_proc(members);
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  return warnings(dump);
}

std::vector<std::string> of_asking_route(const std::string& route) {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.routes = route;
  return warnings(dump);
}

std::vector<std::string> of_forwarding_route(const std::string& route) {
  Dump dump;
  dump.routes = route;
  return warnings(dump);
}

bool one(const std::vector<std::string>& told, const std::string& begin) {
  CAPTURE(told);
  return told.size() == 1 && told.front().starts_with(begin);
}

TEST_CASE("A sound filter and a sound route are no warning, and both doors are told") {
  CHECK(of_filter(sound_filter_members).empty());
  CHECK(of_forwarding_route(route(R"("cluster":"onceproxy","timeout":"30s")")).empty());
  Dump dump;
  dump.routes = route(R"("cluster":"onceproxy","timeout":"0s")");
  const auto findings = check_envoy(dump.text(), settings());
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().message == "listener in forwards to onceproxy on 1 route");
}

TEST_CASE("What is no dump is a failure, and an Envoy without a way to onceproxy a warning") {
  for (const char* text : {"", "no JSON", "[]", "{", "{}", R"({"configs":1})"}) {
    const auto findings = check_envoy(text, settings());
    REQUIRE(findings.size() == 1);
    CHECK(findings.front().health == Health::fail);
  }
  CHECK(check_envoy(R"({"configs":[]})", settings())
            .front()
            .message.starts_with("Envoy: no listener asks"));
  Dump other;
  other.cluster_port = "9999";
  other.routes = route(R"("cluster":"onceproxy")");
  CHECK(one(warnings(other), "Envoy: no listener asks"));
}

TEST_CASE("A filter that lets requests past is a warning") {
  const std::string in_filter = "listener in, filter ext: ";
  CHECK(one(of_filter(sound_filter_members + R"(,"failure_mode_allow":true)"),
            in_filter + "failure_mode_allow is true"));
  CHECK(of_filter(sound_filter_members + R"(,"failure_mode_allow":false)").empty());
  CHECK(one(of_filter(sound_filter_members + R"(,"observability_mode":true)"),
            in_filter + "observability_mode is true"));
  CHECK(one(of_filter(sound_filter_members + R"(,"disable_immediate_response":true)"),
            in_filter + "disable_immediate_response is true"));
  CHECK(one(
      of_filter(sound_filter_members + R"(,"send_body_without_waiting_for_header_response":true)"),
      in_filter + "send_body_without_waiting_for_header_response is true"));
}

TEST_CASE("Modes have to be those that onceproxy asks for") {
  const std::string ours =
      R"({"request_body_mode":"BUFFERED","request_trailer_mode":"SEND","response_header_mode":"SEND",)"
      R"("response_body_mode":"STREAMED","response_trailer_mode":"SEND"})";
  const auto with = [&](const std::string& modes) {
    return of_filter(sound_filter_members + R"(,"allowed_override_modes":[)" + modes + "]");
  };
  CHECK(with("").empty());
  CHECK(with(R"({"request_body_mode":"NONE"},)" + ours).empty());
  CHECK(one(with(R"({"request_body_mode":"BUFFERED"})"),
            "listener in, filter ext: allowed_override_modes does not admit"));
  CHECK(one(
      of_filter(
          R"("message_timeout":"5s","max_message_timeout":"60s",)"
          R"("response_attributes":["response.code_details","upstream.request_attempt_count"])"),
      "listener in, filter ext: allow_mode_override is not true"));
}

TEST_CASE("Envoy has to wait as long as a disk and a duplicate may take") {
  const auto with = [](const std::string& timeouts) {
    return of_filter(R"("allow_mode_override":true,"response_attributes":["response.code_details",)"
                     R"("upstream.request_attempt_count"])" +
                     timeouts);
  };
  CHECK(with(R"(,"message_timeout":"10s")").empty());
  CHECK(with(R"(,"message_timeout":"0s")").empty());
  CHECK(one(with(R"(,"message_timeout":"9.9s")"),
            "listener in, filter ext: neither message_timeout nor max_message_timeout lets a "
            "request wait for 10000 ms"));
  // Envoy ignores the request for more time if it is not allowed in full.
  const std::string wait = R"(,"message_timeout":"5s","max_message_timeout":)";
  CHECK(with(wait + R"("21s")").empty());
  CHECK(one(with(wait + R"("20.9s")"), "listener in, filter ext: neither message_timeout nor"));
  CHECK(one(with(R"(,"max_message_timeout":"21s")"),
            "listener in, filter ext: message_timeout is 200 ms"));
  CHECK(with("").size() == 2);
}

TEST_CASE("Envoy has to send the heads of requests, and no bodies that are not asked for") {
  const std::string in_filter = "listener in, filter ext: processing_mode.";
  const auto with = [&](const std::string& mode) {
    return of_filter(sound_filter_members + R"(,"processing_mode":{)" + mode + "}");
  };
  CHECK(with(R"("request_header_mode":"SEND","response_header_mode":"SKIP")").empty());
  CHECK(with(R"("request_body_mode":"BUFFERED")").empty());
  CHECK(one(with(R"("request_header_mode":"SKIP")"), in_filter + "request_header_mode is SKIP"));
  CHECK(
      one(with(R"("request_body_mode":"STREAMED")"), in_filter + "request_body_mode is STREAMED"));
  CHECK(with(R"("response_body_mode":"BUFFERED")").empty());
  CHECK(one(with(R"("response_body_mode":"FULL_DUPLEX_STREAMED")"),
            in_filter + "response_body_mode is FULL_DUPLEX_STREAMED"));
  // onceproxy watches then.
  CHECK(one(of_filter(sound_filter_members + R"(,"observability_mode":true,"processing_mode":)"
                                             R"({"request_body_mode":"STREAMED"})"),
            "listener in, filter ext: observability_mode is true"));
}

TEST_CASE("A filter that is off, or keeps fields from either side, is a warning") {
  const std::string in_filter = "listener in, filter ext: ";
  CHECK(one(of_filter(sound_filter_members + R"(,"forward_rules":{"allowed_headers":{}})"),
            in_filter + "forward_rules"));
  CHECK(one(of_filter(sound_filter_members + R"(,"mutation_rules":{"disallow_all":true})"),
            in_filter + "mutation_rules.disallow_all"));
  const auto refusing = [](const std::string& regex) {
    return of_filter(sound_filter_members +
                     R"(,"mutation_rules":{"disallow_expression":{"regex":")" + regex + R"("}})");
  };
  CHECK(one(refusing("once.*"), in_filter + "mutation_rules.disallow_expression matches"));
  CHECK(refusing("x-other|once").empty());
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.filters.insert(1, R"("disabled":true,)");
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  CHECK(one(warnings(dump), in_filter + "disabled is true"));
}

TEST_CASE("A disabled filter is checked on the routes that enable it, as in Envoy Gateway") {
  const std::string on =
      R"("typed_per_filter_config":{"ext":{"@type":"x.FilterConfig","config":{}}})";
  const std::string off =
      R"("typed_per_filter_config":{"ext":{"@type":"x.FilterConfig","disabled":true}})";
  const std::string disabled = "listener in, filter ext: disabled is true";
  // Envoy's timeout and these retries would be warnings.
  const std::string action = R"("cluster":"service","retry_policy":{"retry_on":"5xx"})";
  const std::string other = route(action) + ",";
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.filters.insert(1, R"("disabled":true,)");
  dump.routes = other + route(R"("cluster":"service","timeout":"20s")", "," + on);
  CHECK(warnings(dump).empty());
  dump.routes = other + route(R"("cluster":"service","timeout":"19s")", "," + on);
  CHECK(one(warnings(dump), "listener in, route v /a: timeout ends a request after 19000 ms"));
  dump.routes = other + route(R"("weighted_clusters":{"clusters":[{"name":"service",)" + on +
                              R"(}]},"timeout":"19s")");
  CHECK(one(warnings(dump), "listener in, route v /a: timeout ends a request after 19000 ms"));
  dump.routes = other + route(action, "," + off);
  CHECK(one(warnings(dump), disabled));
  // The route's own word counts more than its host's.
  dump.host = on + ",";
  dump.routes = route(action, "," + off);
  CHECK(one(warnings(dump), disabled));
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  CHECK(warnings(dump).empty());
}

TEST_CASE("An external processor that is known to be another one is not checked") {
  auto with_port = settings();
  with_port.envoy.emplace().port = 9903;
  Dump dump;
  dump.filters = ext_proc(sound_filter_members + R"(,"failure_mode_allow":true)");
  const std::string nothing = R"("grpc_service":{})";
  dump.filters.replace(dump.filters.find(nothing), nothing.size(),
                       R"("grpc_service":{"envoy_grpc":{"cluster_name":"service"}})");
  const auto endpoint = [&](const std::string& address) {
    dump.service = R"(,"load_assignment":{"endpoints":[{"lb_endpoints":[{"endpoint":{"address":{)" +
                   address + "}}}]}]}";
  };
  const std::string open = "listener in, filter ext: failure_mode_allow";
  endpoint(R"("socket_address":{"address":"10.0.0.1","port_value":9002})");
  CHECK(one(warnings(dump, with_port), "Envoy: no listener asks"));
  CHECK(check_envoy(dump.text(), with_port)
            .front()
            .message.starts_with("listener in: filter ext asks cluster service"));
  // Without the key it is not known where onceproxy listens.
  CHECK(one(warnings(dump), open));
  endpoint(R"("socket_address":{"address":"10.0.0.1","port_value":9903})");
  CHECK(one(warnings(dump, with_port), open));
  endpoint(R"("envoy_internal_address":{"server_listener_name":"x"})");
  CHECK(one(warnings(dump, with_port), open));
  // Its endpoints are discovered.
  dump.service = "";
  CHECK(one(warnings(dump, with_port), open));
  auto with_socket = settings();
  with_socket.envoy.emplace().unix_path = "/run/onceproxy-envoy.sock";
  endpoint(R"("pipe":{"path":"/run/onceproxy-envoy.sock"})");
  CHECK(one(warnings(dump, with_socket), open));
  endpoint(R"("pipe":{"path":"/run/other.sock"})");
  CHECK(one(warnings(dump, with_socket), "Envoy: no listener asks"));
}

TEST_CASE("Routes that are not looked at are told") {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.manager = R"("scoped_routes":{},)";
  CHECK(one(warnings(dump), "listener in: scoped_routes are not checked"));
}

TEST_CASE("A unix socket leads to onceproxy as a port does") {
  auto loaded = settings();
  loaded.listen.front() = {};
  loaded.listen.front().unix_path = "/run/onceproxy.sock";
  Dump dump;
  dump.service =
      R"(,"load_assignment":{"endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"pipe":)"
      R"({"path":"/run/onceproxy.sock"}}}}]}]})";
  dump.routes = route(R"("cluster":"service","timeout":"30s")");
  const auto findings = check_envoy(dump.text(), loaded);
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().message == "listener in forwards to onceproxy on 1 route");
}

TEST_CASE("An answer of the service has to be told from one of Envoy's own") {
  CHECK(one(of_filter(R"("allow_mode_override":true,"message_timeout":"10s")"),
            "listener in, filter ext: response_attributes has no response.code_details"));
  CHECK(one(of_filter(R"("allow_mode_override":true,"message_timeout":"10s",)"
                      R"("response_attributes":["response.code_details"])"),
            "listener in, filter ext: response_attributes has no upstream.request_attempt_count"));
}

TEST_CASE("Retries behind the decision are a warning, unless nothing was sent") {
  const std::string action = R"("cluster":"service","timeout":"20s")";
  const auto with = [&](const std::string& policy) {
    return of_asking_route(route(action + R"(,"retry_policy":{"retry_on":")" + policy + R"("})"));
  };
  CHECK(with("connect-failure, refused-stream,reset-before-request").empty());
  CHECK(with("").empty());
  CHECK(one(with("connect-failure, 5xx,reset"),
            "listener in, route v /a: retry_policy repeats a request that was let through once "
            "(retry_on: 5xx, reset)"));
  CHECK(one(of_asking_route(route(action + R"(,"hedge_policy":{"hedge_on_per_try_timeout":true})")),
            "listener in, route v /a: hedge_policy"));
  CHECK(one(of_asking_route(route(action + R"(,"internal_redirect_policy":{})")),
            "listener in, route v /a: internal_redirect_policy"));
  Dump by_host;
  by_host.filters = ext_proc(sound_filter_members);
  by_host.host = R"("retry_policy":{"retry_on":"5xx"},)";
  by_host.routes = route(action);
  CHECK(one(warnings(by_host), "listener in, route v /a: retry_policy"));
}

TEST_CASE("A cluster may have retries and copies, too") {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  const auto with = [&](const std::string& options) {
    dump.service = R"(,"typed_extension_protocol_options":{"envoy.extensions.upstreams.http.v3.)"
                   R"(HttpProtocolOptions":{)" +
                   options + "}}";
    return warnings(dump);
  };
  CHECK(with("").empty());
  CHECK(one(with(R"("retry_policy":{"retry_on":"5xx"})"),
            "listener in, route v /a: retry_policy of the cluster repeats a request"));
  CHECK(one(with(R"("request_mirror_policies":[{"cluster":"other"}])"),
            "listener in, route v /a: request_mirror_policies"));
}

TEST_CASE("The retry policy of the cluster, or else of the nearest level, is the one that counts") {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.service = R"(,"typed_extension_protocol_options":{"envoy.extensions.upstreams.http.v3.)"
                 R"(HttpProtocolOptions":{"retry_policy":{"retry_on":"connect-failure"}}})";
  const std::string rest = R"(,"timeout":"20s","retry_policy":{"retry_on":"5xx"})";
  dump.routes = route(R"("cluster":"service")" + rest);
  CHECK(warnings(dump).empty());
  dump.routes =
      route(R"("weighted_clusters":{"clusters":[{"name":"service"},{"name":"other"}]})" + rest);
  CHECK(one(warnings(dump), "listener in, route v /a: retry_policy repeats"));
  dump.routes = route(R"("cluster_header":"x-cluster")" + rest);
  CHECK(one(warnings(dump), "listener in, route v /a: retry_policy repeats"));

  Dump by_host;
  by_host.filters = ext_proc(sound_filter_members);
  by_host.host = R"("retry_policy_typed_config":{"retry_on":"5xx"},)";
  const std::string action = R"("cluster":"service","timeout":"20s")";
  by_host.routes = route(action);
  CHECK(one(warnings(by_host), "listener in, route v /a: retry_policy_typed_config"));
  by_host.routes = route(action + R"(,"retry_policy":{"retry_on":"connect-failure"})");
  CHECK(warnings(by_host).empty());
}

TEST_CASE("Clients that may request retries by themselves are a warning") {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  const std::string warning = "listener in: internal_address_config names addresses";
  dump.manager = R"("internal_address_config":{"cidr_ranges":[{"address_prefix":"10.0.0.0"}]},)";
  CHECK(one(warnings(dump), warning));
  dump.manager = R"("internal_address_config":{"unix_sockets":true},)";
  CHECK(one(warnings(dump), warning));
  // With these no client is internal.
  for (const char* none : {"{}", R"({"cidr_ranges":[]})", R"({"unix_sockets":false})"}) {
    dump.manager = std::string(R"("internal_address_config":)") + none + ",";
    CHECK(warnings(dump).empty());
  }
}

TEST_CASE("Retries towards onceproxy do no harm") {
  CHECK(of_forwarding_route(
            route(R"("cluster":"onceproxy","timeout":"30s","retry_policy":{"retry_on":"5xx"})"))
            .empty());
}

TEST_CASE("Copies are a warning at both doors") {
  const std::string mirror = R"(,"request_mirror_policies":[{"cluster":"other"}])";
  CHECK(one(of_asking_route(route(R"("cluster":"service","timeout":"20s")" + mirror)),
            "listener in, route v /a: request_mirror_policies"));
  CHECK(one(of_forwarding_route(route(R"("weighted_clusters":{"clusters":[{"name":"service"},)"
                                      R"({"name":"onceproxy"}]},"timeout":"30s")" +
                                      mirror)),
            "listener in, route v /a: request_mirror_policies"));
}

TEST_CASE("A route that ends before the lease or the response timeout is a warning") {
  CHECK(one(of_asking_route(route(R"("cluster":"service")")),
            "listener in, route v /a: timeout ends a request after 15000 ms, before the longest "
            "lease (20000 ms)"));
  CHECK(one(of_forwarding_route(route(R"("cluster":"onceproxy","timeout":"29s")")),
            "listener in, route v /a: timeout ends a request after 29000 ms, before "
            "upstream.response_timeout (30000 ms)"));
  CHECK(of_asking_route(R"({"match":{"prefix":"/"},"direct_response":{"status":200}})").empty());
  Dump idle;
  idle.filters = ext_proc(sound_filter_members);
  idle.manager = R"("stream_idle_timeout":"5s",)";
  idle.routes = route(R"("cluster":"service","timeout":"0s")");
  CHECK(one(warnings(idle), "listener in: stream_idle_timeout ends a request after 5000 ms"));
  idle.routes = route(R"("cluster":"service","timeout":"0s","idle_timeout":"60s")");
  CHECK(warnings(idle).empty());
  CHECK(one(of_asking_route(route(R"("cluster":"service","timeout":"0s","idle_timeout":"6s")")),
            "listener in, route v /a: idle_timeout ends a request after 6000 ms"));
  CHECK(one(of_asking_route(route(R"("cluster":"service","timeout":"0s",)"
                                  R"("max_stream_duration":{"max_stream_duration":"7s"})")),
            "listener in, route v /a: max_stream_duration ends a request after 7000 ms"));
  Dump longest;
  longest.filters = ext_proc(sound_filter_members);
  longest.manager = R"("common_http_protocol_options":{"max_stream_duration":"8s"},)";
  longest.routes = route(R"("cluster":"service","timeout":"0s")");
  CHECK(one(warnings(longest), "listener in: max_stream_duration ends a request after 8000 ms"));
}

TEST_CASE("Durations that are none, or have no end, count as absent") {
  for (const char* text : {"1e300s", "infs", "nans", "1", "s", ""}) {
    CAPTURE(text);
    CHECK(
        one(of_asking_route(route(R"("cluster":"service","timeout":")" + std::string(text) + '"')),
            "listener in, route v /a: timeout ends a request after 15000 ms"));
  }
}

TEST_CASE("Limits of bodies below ours are a warning") {
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.listener = R"("per_connection_buffer_limit_bytes":65536,)";
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  CHECK(one(warnings(dump), "listener in: per_connection_buffer_limit_bytes is 65536"));
  CHECK(one(of_asking_route(route(R"("cluster":"service","timeout":"20s")",
                                  R"(,"request_body_buffer_limit":"1000")")),
            "listener in, route v /a: request_body_buffer_limit"));
  Dump buffered;
  buffered.filters =
      R"({"name":"buffer","typed_config":{"@type":"x.Buffer","max_request_bytes":1000}})";
  buffered.routes = route(R"("cluster":"onceproxy","timeout":"30s")");
  CHECK(one(warnings(buffered), "listener in, filter buffer: max_request_bytes"));
}

TEST_CASE("What is configured for the filter on a route is looked at") {
  const std::string action = R"("cluster":"service","timeout":"20s")";
  const auto with = [&](const std::string& configuration) {
    return of_asking_route(
        route(action, R"(,"typed_per_filter_config":{"ext":)" + configuration + "}"));
  };
  CHECK(one(with(R"({"@type":"x.ExtProcPerRoute","overrides":{"failure_mode_allow":true}})"),
            "listener in, route v /a: failure_mode_allow is true for the route"));
  CHECK(one(with(R"({"@type":"x.ExtProcPerRoute","disabled":true})"),
            "listener in, route v /a: filter ext is off"));
  CHECK(one(with(R"({"@type":"x.FilterConfig","disabled":true})"),
            "listener in, route v /a: filter ext is off"));
  CHECK(one(with(R"({"@type":"x.FilterConfig","config":{"@type":"x.ExtProcPerRoute",)"
                 R"("overrides":{"failure_mode_allow":true}}})"),
            "listener in, route v /a: failure_mode_allow"));
  CHECK(with(R"({"@type":"x.ExtProcPerRoute","overrides":{"failure_mode_allow":false}})").empty());
  CHECK(one(with(R"({"@type":"x.ExtProcPerRoute","overrides":{"grpc_service":{}}})"),
            "listener in, route v /a: grpc_service is overridden"));
  CHECK(one(with(R"({"@type":"x.ExtProcPerRoute","overrides":{"processing_mode":)"
                 R"({"request_header_mode":"SKIP"}}})"),
            "listener in, route v /a: processing_mode.request_header_mode is SKIP"));
}

TEST_CASE("Of thousands of routes with one fault a few are told, and the rest counted") {
  std::string routes = route(R"("cluster":"service")");
  for (int i = 1; i < 1'000; ++i) routes += "," + route(R"("cluster":"service")");
  const auto told = of_asking_route(routes);
  REQUIRE(told.size() == 11);
  CHECK(told.back().starts_with("and 990 more: timeout ends a request"));
}

TEST_CASE("Thousands of routes and clusters take about as long as their number") {
  constexpr int many = 10'000;
  Dump dump;
  dump.filters = ext_proc(sound_filter_members);
  dump.routes = route(R"("cluster":"service","timeout":"20s")");
  for (int i = 0; i < many; ++i) {
    const std::string name = "cluster-" + std::to_string(i);
    dump.routes += "," + route(R"("cluster":")" + name + R"(","timeout":"20s")");
    dump.service += R"(}},{"cluster":{"name":")" + name + '"';
  }
  const std::clock_t before = std::clock();
  CHECK(warnings(dump).empty());
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  // Of the processor. Products of the two numbers take several times as long.
  CHECK(seconds < 5);
}

}  // namespace
}  // namespace onceproxy::doctor
