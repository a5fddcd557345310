#include "config/settings_reader.hpp"

#include "config/address_checks.hpp"
#include "config/audit_reader.hpp"
#include "config/capture_reader.hpp"
#include "config/cors_reader.hpp"
#include "config/policy_reader.hpp"
#include "config/scalars.hpp"
#include "config/store_reader.hpp"
#include "config/tls_reader.hpp"
#include "config/tracing_reader.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds timeout_min = 1ms;
constexpr milliseconds timeout_max = 24h;
constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

Kind<milliseconds> timeout() {
  return duration(timeout_min, timeout_max);
}

/// One address or a list of them.
Kind<std::vector<ListenSettings>> addresses() {
  Kind<ListenSettings> one = listen_address();
  one.read = [any = one.read](const Node& node) -> std::optional<ListenSettings> {
    auto value = any(node);
    if (!value || value->unix_path.empty()) return value;
    node.problem("the data port is TCP alone; unix:/path is for upstream, admin and telemetry");
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
    return Json::object({{"anyOf", Json::array({one.schema(), several.schema()})}});
  };
  return kind;
}

Kind<UpstreamSettings> upstream() {
  using U = UpstreamSettings;
  return section<U>(
      {"upstream",
       {key<U>("address", &U::address, address(PortZero::refused),
               "Where requests are forwarded to: host:port or unix:/path.", Need::required),
        key<U>("connect_timeout", &U::connect_timeout, timeout(),
               "How long a connection may take to be made, or a request may wait for a free "
               "one. From 1ms to 24h, as every timeout."),
        key<U>("response_timeout", &U::response_timeout, timeout(),
               "How long the upstream may take to the last byte of the response head."),
        key<U>("idle_timeout", &U::idle_timeout, timeout(),
               "How long a response may pause within its body."),
        key<U>("keepalive_timeout", &U::keepalive_timeout, duration_or_zero(timeout_max),
               "How long a connection is kept unused, for further requests. The upstream's own "
               "Keep-Alive: timeout=N, less a margin, counts where it is shorter. 0: every request "
               "gets a connection of its own."),
        key<U>(
            "abandoned_timeout", &U::abandoned_timeout, timeout(),
            "Where max_concurrency, the upstream's or a policy's, bounds requests under way: how "
            "long one that nobody waits for any more, since it took longer than "
            "response_timeout, still counts while the upstream neither answers nor closes the "
            "connection."),
        key<U>("max_connections", &U::connections_max, integer(1, 1'000'000),
               "Connections to the upstream. Further requests wait for one, bounded by "
               "connect_timeout, then get 503."),
        key<U>("max_concurrency", &U::concurrency_max, integer(0, 1'000'000),
               "Requests under way at once; 0 is no limit, 1 is for a service that is not "
               "thread-safe."),
        key<U>("head_bytes", &U::head_bytes_max, size(256, 16 * mib),
               "The largest response head; a larger one is 502."),
        key<U>("http", &U::lenient_http, word<bool>({{"strict", false}, {"lenient", true}}),
               "How answers are read. strict: as RFC 9112 has it; anything else is 502. lenient: "
               "also what old services send and what can mean one thing only: heads whose lines "
               "all end in LF, a Content-Length that is repeated or listed with one value, "
               "Transfer-Encoding: identity, white space around a chunk's size. Clients get a "
               "clean answer either way."),
        key<U>("forwarded_fields", &U::forwards_covered_only,
               word<bool>({{"all", false}, {"covered", true}}),
               "Which requests carry x-forwarded-for, x-forwarded-proto and x-request-id to the "
               "upstream. all: every one. covered: those that a policy covers; the others go on "
               "as they came."),
        key<U>("tls", &U::tls, upstream_tls(),
               "TLS towards the upstream, {} for all defaults. Left out: plain "
               "HTTP.")},
       {},
       {},
       "address"},
      complete_upstream_tls);
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

struct AdminListener : Listener {
  std::string token_file;
  std::string read_token_file;
  std::vector<std::string> hosts;
};

std::optional<std::string> wrong_host(std::string_view host) {
  static constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  if (host.empty()) return "is empty; it is a host name or an address";
  // An IPv6 address, without brackets as elsewhere inside.
  if (host.find(':') != host.rfind(':')) {
    if (host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos) {
      return std::nullopt;
    }
    return "is not an address; write an IPv6 address without brackets and port";
  }
  if (host.find(':') != std::string_view::npos) {
    return "has a port; leave it out, since every port is accepted";
  }
  if (host.find_first_not_of(allowed) != std::string_view::npos) {
    return "is not a host name; list each name, without wildcards";
  }
  return std::nullopt;
}

Kind<AdminListener> admin_listener() {
  using A = AdminListener;
  return section<A>(
      {"admin",
       {key<A>(
            "listen", [](A& admin) -> ListenSettings& { return admin.listen; }, listen_address(),
            "The admin API's address: full control, so a local one or unix:/path, unless "
            "token_file is given or clients must show a certificate.",
            Need::required),
        key<A>("token_file", &A::token_file, file_path(),
               "A file with the bearer token that each request to the admin API must bring. Read "
               "for each request, so that a new one counts at once."),
        key<A>("read_token_file", &A::read_token_file, file_path(),
               "The same for a token that may only read: GET and HEAD. A change is 403."),
        key<A>("hosts", &A::hosts, list("host names", text("a host name", wrong_host)),
               "Without a token and without TLS, what Host may say besides localhost, a loopback "
               "address and "
               "the bound address; other requests are 421. Names and addresses without a port.")},
       {},
       {},
       "listen"});
}

/// Puts `admin` where it belongs: it is several members of Settings.
Key<Settings> admin_row() {
  const Kind<AdminListener> kind = admin_listener();
  Key<Settings> row;
  row.name = "admin";
  row.names = kind.names;
  row.schema = [kind] {
    Json schema = kind.schema();
    schema.set("description", "The admin API. Left out: there is no admin port.");
    return schema;
  };
  row.read = [kind](const Node& node, Settings& settings) {
    auto value = kind.read(node);
    // An address that could not be read has been reported.
    if (!value || value->listen == ListenSettings{}) return;
    settings.admin = std::move(value->listen);
    settings.admin_token_file = std::move(value->token_file);
    settings.admin_hosts = std::move(value->hosts);
    settings.admin_read_token_file = std::move(value->read_token_file);
  };
  return row;
}

Kind<LimitSettings> limits() {
  using L = LimitSettings;
  return section<L>(
      {"limits",
       {key<L>("connections", &L::connections, integer(1, 1'000'000),
               "The number of client connections at once; further ones get 503."),
        key<L>("head_bytes", &L::head_bytes, size(256, 16 * mib),
               "The largest request head; a larger one is 431, or 414 for its target."),
        key<L>("headers", &L::headers, integer(1, 10'000),
               "The number of header fields of a request; more is 431."),
        key<L>("body_bytes", &L::body_bytes, size(1, 4 * gib),
               "The largest body of a request that a policy covers; a larger one is 413."),
        key<L>("buffered_bytes", &L::buffered_bytes, size(64 * kib, 64 * gib),
               "What request bodies that policies cover may take in memory, all together, while "
               "they are still arriving; above it the slowest gets 408. Answers that are being "
               "kept have a bound of the same size, and so have requests that wait for the "
               "upstream."),
        key<L>("head_timeout", &L::head_timeout, timeout(),
               "How long a request head may take; then 408."),
        key<L>("body_timeout", &L::body_timeout, timeout(),
               "How long a body may take where a policy covers the request, or stay silent "
               "where it streams; then 408."),
        key<L>("idle_timeout", &L::idle_timeout, timeout(),
               "How long a connection may wait for its next request."),
        key<L>("pending", &L::pending, integer(1, 10'000'000),
               "Reservations under way at once; more is 503."),
        key<L>("encoded_slashes", &L::pass_encoded_slashes,
               word<bool>({{"reject", false}, {"pass", true}}),
               "What a path with an encoded slash or backslash gets. reject: 400. pass: it is "
               "matched with the slash kept encoded.")}});
}

Kind<LogSettings> log() {
  using L = LogSettings;
  return section<L>(
      {"log",
       {key<L>("level", &L::level,
               word<LogLevel>({{"trace", LogLevel::trace},
                               {"debug", LogLevel::debug},
                               {"info", LogLevel::info},
                               {"warn", LogLevel::warn},
                               {"error", LogLevel::error}}),
               "The least severe level that is written."),
        key<L>("format", &L::format,
               word<LogFormat>({{"json", LogFormat::json}, {"text", LogFormat::text}}),
               "The format of the log and the access log."),
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
              "The telemetry port, which serves metrics and probes and changes nothing. Left out: "
              "there is no such port."),
       key<S>("tracing", &S::tracing, tracing(),
              "Spans of requests, for a collector of OpenTelemetry's. Left out: nothing is "
              "traced."),
       key<S>("audit", &S::audit, audit(),
              "The audit log: what was forwarded, how it ended, what was refused, and what "
              "operators did. It is kept beside the store and shown by GET /audit."),
       key<S>("limits", &S::limits, limits(), "Limits on clients and their requests."),
       key<S>("log", &S::log, log(), "Logs on stderr, the access log on stdout."),
       key<S>("cors", &S::cors, cors(),
              "Which pages of other origins may read what onceproxy itself answers. A policy may "
              "have its own. Left out: none."),
       key<S>("workers", &S::workers, integer(0, 1'024),
              "Worker threads; 0 is one per core the cgroup allows."),
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
        set_lease_floors(value);
        check_addresses(node);
        check_audit_path(node);
        check_certificate_selectors(node);
      });
  return kind;
}

}  // namespace onceproxy::config
