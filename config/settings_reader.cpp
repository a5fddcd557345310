#include "config/settings_reader.hpp"

#include "config/access_format_reader.hpp"
#include "config/address_checks.hpp"
#include "config/admin_reader.hpp"
#include "config/audit_reader.hpp"
#include "config/capture_reader.hpp"
#include "config/cors_reader.hpp"
#include "config/delivery_reader.hpp"
#include "config/policy_reader.hpp"
#include "config/scalars.hpp"
#include "config/store_reader.hpp"
#include "config/tls_reader.hpp"
#include "config/tracing_reader.hpp"
#include "config/upstream_reader.hpp"

namespace onceproxy::config {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

/// One address or a list of them.
Kind<std::vector<ListenSettings>> addresses() {
  Kind<ListenSettings> one = listen_address();
  one.read = [any = one.read](const Node& node) -> std::optional<ListenSettings> {
    auto value = any(node);
    if (!value || value->unix_path.empty()) return value;
    node.problem(
        "the data port is TCP alone; unix:/path is for upstream, admin, telemetry and envoy");
    return std::nullopt;
  };
  const Kind<std::vector<ListenSettings>> several = list("addresses", one, Empty::refused);
  Kind<std::vector<ListenSettings>> kind;
  kind.names = one.names;
  kind.read = [one, several](const Node& node) -> std::optional<std::vector<ListenSettings>> {
    if (node.is_list()) return several.read(node);
    auto value = one.read(node);
    if (!value) return std::nullopt;
    return std::vector<ListenSettings>{*std::move(value)};
  };
  kind.schema = [one, several] {
    return JsonObject({{"anyOf", JsonArray({one.schema(), several.schema()})}});
  };
  return kind;
}

/// A listener that is there or not.
struct Listener {
  ListenSettings listen;
};

Kind<ListenSettings> listener(std::string place, std::string description) {
  const Kind<Listener> draft =
      section<Listener>({std::move(place),
                         {key<Listener>("listen", &Listener::listen, listen_address(),
                                        std::move(description), Need::required)},
                         {},
                         {},
                         "listen"});
  Kind<ListenSettings> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<ListenSettings> {
    auto value = draft.read(node);
    // An address that could not be read has been reported.
    if (!value || value->listen == ListenSettings{}) return std::nullopt;
    return std::move(value->listen);
  };
  return kind;
}

Kind<LimitSettings> limits() {
  using L = LimitSettings;
  return section<L>(
      {"limits",
       {key<L>("connections", &L::connections, integer(1, 1'000'000),
               "Maximum number of client connections. Further connections get 503."),
        key<L>("head_bytes", &L::head_bytes, size(256, 16 * mib),
               "Maximum size of a request head. A larger one gets 431, or 414 if its target is too "
               "long."),
        key<L>("headers", &L::headers, integer(1, 10'000),
               "Maximum number of header fields of a request. More fields get 431."),
        key<L>(
            "body_bytes", &L::body_bytes, size(1, 4 * gib),
            "Maximum size of the body of a request that a policy covers. A larger one gets 413."),
        key<L>("buffered_bytes", &L::buffered_bytes, size(64 * kib, 64 * gib),
               "Memory for all request bodies together that policies cover and that are still "
               "arriving, and for messages of Envoy that are still arriving. Above it, the slowest "
               "request gets 408, or its message RESOURCE_EXHAUSTED. Answers that are being stored "
               "have a limit of the same size, and so have requests that wait for the upstream."),
        key<L>("head_timeout", &L::head_timeout, timeout(),
               "How long a request head may take to arrive; then the request gets 408."),
        key<L>("body_timeout", &L::body_timeout, timeout(),
               "How long the body of a covered request may take to arrive, and how long any other "
               "body may pause; then the request gets 408. Also how long a message of Envoy may "
               "take; then it gets RESOURCE_EXHAUSTED."),
        key<L>("idle_timeout", &L::idle_timeout, timeout(),
               "How long a connection may wait for its next request."),
        key<L>("pending", &L::pending, integer(1, 10'000'000),
               "Maximum number of reservations under way. Further operations get 503."),
        key<L>("encoded_slashes", &L::pass_encoded_slashes,
               word<bool>({{"reject", false}, {"pass", true}}),
               "How a path with an encoded slash or backslash is treated. reject: 400. pass: it is "
               "matched with the slash still encoded.")}});
}

Kind<LogSettings> log() {
  using L = LogSettings;
  return section<L>(
      {"log",
       {key<L>("level", &L::level,
               word<telemetry::LogLevel>({{"trace", telemetry::LogLevel::trace},
                                          {"debug", telemetry::LogLevel::debug},
                                          {"info", telemetry::LogLevel::info},
                                          {"warn", telemetry::LogLevel::warn},
                                          {"error", telemetry::LogLevel::error}}),
               "The least severe level that is written."),
        key<L>("format", &L::format,
               word<telemetry::LogFormat>(
                   {{"json", telemetry::LogFormat::json}, {"text", telemetry::LogFormat::text}}),
               "The format of the log and the access log."),
        key<L>("access_format", &L::access_format, access_format(),
               "How a request is written to the access log: a text with Envoy's command operators, "
               "or a map, which becomes a JSON object whose values are such texts. "
               "proxy/telemetry/REFERENCE.md lists the operators. Left out: the access log's own "
               "fields, as `format` says."),
        key<L>("capture", &L::capture, capture(),
               "Requests with their bodies, in a file for `onceproxy backtest`. Left out: none are "
               "written.")},
       {},
       {},
       "level"});
}

Keys<Settings> top_level() {
  using S = Settings;
  return {
      "the top level",
      {key<S>("listen", &S::listen, addresses(), "The data port: an address, or a list of them.",
              Need::required),
       key<S>("upstream", &S::upstream, upstream(), "The service that is protected.",
              Need::required),
       store_row(), admin_row(),
       key<S>("telemetry", &S::telemetry,
              listener("telemetry", "The address of /metrics, /ready and /live."),
              "The telemetry port. It serves metrics and probes and changes nothing. If this key "
              "is absent, there is no telemetry port."),
       key<S>("envoy", &S::envoy,
              listener("envoy",
                       "The address at which the ext_proc filter of an Envoy asks, by gRPC. Every "
                       "client of this port can complete operations and gets stored answers. "
                       "Therefore an address that other machines can reach must have tls that "
                       "requires client certificates; for a sidecar use 127.0.0.1 or unix:/path."),
              "The port for Envoy's filter ext_proc. Envoy forwards the requests itself and asks "
              "this port about each request and its answer. The policies and records are those of "
              "the data port. If this key is absent, there is no such port."),
       key<S>("tracing", &S::tracing, tracing(),
              "Sends spans of requests to an OpenTelemetry collector. If this key is absent, "
              "nothing is traced."),
       key<S>("audit", &S::audit, audit(),
              "The audit log: requests that were forwarded, with their outcomes, requests that "
              "were refused, and actions of operators. It is stored beside the store and shown by "
              "GET /audit."),
       key<S>("limits", &S::limits, limits(), "Limits on clients and their requests."),
       key<S>("log", &S::log, log(),
              "The log on standard error, and the access log on standard output."),
       key<S>("delivery", &S::events, event_settings(),
              "Limits of the events that policies with `delivery` store."),
       key<S>("dead_letters", &S::dead_letters, dead_letters(),
              "Deliveries whose attempts have all failed."),
       key<S>("cors", &S::cors, cors(),
              "Which web pages of other origins may read the answers that onceproxy itself gives. "
              "A policy may have rules of its own. If this key is absent, no such page may."),
       key<S>("workers", &S::workers, integer(0, 1'024),
              "Number of worker threads. 0: one for each core that the cgroup allows."),
       key<S>("policies", &S::policies, policy_list(),
              "The policies. The first one that matches a request applies to it; a request that no "
              "policy covers is forwarded unprotected.")}};
}

/// No lease that follows the service's times is shorter than the time after which it is given up.
void set_lease_floors(Settings& settings) {
  const auto floor = settings.upstream.response_timeout;
  for (policies::Policy& policy : settings.policies) {
    if (policy.adaptive_lease) policy.adaptive_lease->floor = floor;
    for (policies::Override& one : policy.overrides) {
      if (!one.policy->adaptive_lease) continue;
      policies::Policy with_floor = *one.policy;
      with_floor.adaptive_lease->floor = floor;
      one.policy = std::make_shared<const policies::Policy>(std::move(with_floor));
    }
  }
}

}  // namespace

const Kind<Settings>& settings() {
  static const Kind<Settings> kind =
      section<Settings>(top_level(), [](const Node& node, Settings& value) {
        value.store.pending_max = value.limits.pending;
        if (value.postgres) value.postgres->pending_max = value.limits.pending;
        value.store.ledger = {value.dead_letters.retention, value.events.bytes_max};
        if (value.postgres) value.postgres->ledger = value.store.ledger;
        set_lease_floors(value);
        check_addresses(node);
        check_audit_path(node);
        check_certificate_selectors(node);
      });
  return kind;
}

}  // namespace onceproxy::config
