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
               "The address to which requests are forwarded: host:port or unix:/path.",
               Need::required),
        key<U>("connect_timeout", &U::connect_timeout, timeout(),
               "How long connecting may take, and how long a request may wait for a free "
               "connection. From 1ms to 24h, like every timeout."),
        key<U>("response_timeout", &U::response_timeout, timeout(),
               "How long the upstream may take until the last byte of the response head."),
        key<U>("idle_timeout", &U::idle_timeout, timeout(),
               "How long a response may pause within its body."),
        key<U>("keepalive_timeout", &U::keepalive_timeout, duration_or_zero(timeout_max),
               "How long an idle connection is kept for further requests. If the upstream "
               "announces a shorter time (Keep-Alive: timeout=N), that time less a margin applies. "
               "0: each request gets its own connection."),
        key<U>("abandoned_timeout", &U::abandoned_timeout, timeout(),
               "With max_concurrency of the upstream or of a policy: how long a request that took "
               "longer than response_timeout still counts as under way, if the upstream neither "
               "answers nor closes the connection."),
        key<U>("max_connections", &U::connections_max, integer(1, 1'000'000),
               "Maximum number of connections to the upstream. Further requests wait for one for "
               "at most connect_timeout and then get 503."),
        key<U>("max_concurrency", &U::concurrency_max, integer(0, 1'000'000),
               "Maximum number of requests that are forwarded at the same time. 0: no limit. 1: "
               "for a service that is not thread-safe."),
        key<U>("head_bytes", &U::head_bytes_max, size(256, 16 * mib),
               "Maximum size of a response head. A larger one results in 502."),
        key<U>("http", &U::lenient_http, word<bool>({{"strict", false}, {"lenient", true}}),
               "How answers are parsed. strict: as RFC 9112 requires; anything else results in "
               "502. lenient: also accepts what old services send if it has only one meaning: "
               "heads whose lines all end in LF, a Content-Length that is repeated or listed with "
               "one value, Transfer-Encoding: identity, and white space around the size of a "
               "chunk. In both cases clients get a well-formed answer."),
        key<U>("forwarded_fields", &U::forwards_covered_only,
               word<bool>({{"all", false}, {"covered", true}}),
               "Which requests are sent to the upstream with x-forwarded-for, x-forwarded-proto "
               "and x-request-id. all: every request. covered: only requests that a policy covers; "
               "in other requests these fields stay as they are."),
        key<U>("tls", &U::tls, upstream_tls(),
               "TLS for connections to the upstream; {} selects all defaults. If this key is "
               "absent, plain HTTP is used.")},
       {},
       {},
       "address"},
      complete_upstream_tls);
}

}  // namespace onceproxy::config
