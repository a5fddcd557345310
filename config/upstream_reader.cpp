#include "config/upstream_reader.hpp"

#include "config/scalars.hpp"
#include "config/tls_reader.hpp"

namespace onceproxy::config {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

}  // namespace

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

}  // namespace onceproxy::config
