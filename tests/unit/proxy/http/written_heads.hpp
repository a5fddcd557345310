// Heads that were read, written again: to the upstream, covered or not, and to the client.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "heads.hpp"
#include "proxy/http/head_writer.hpp"

namespace onceproxy::http::testing {

using namespace std::chrono_literals;
using gate::Decision;

inline constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

inline std::string passed(const Request& request, bool upgrade = false) {
  REQUIRE_FALSE(request.bad);
  std::string out;
  write_request_head(request.head, {upgrade, request.head.expects_continue}, "upstream:8081", {},
                     out);
  return out;
}

inline CoveredFields covered_fields() {
  CoveredFields fields;
  fields.forwarded.request_id = "r-1";
  fields.forwarded.client = "10.0.0.9";
  fields.response_timeout = 30s;
  return fields;
}

inline std::string covered(const Request& request, const CoveredFields& fields = covered_fields()) {
  REQUIRE_FALSE(request.bad);
  std::string out;
  write_covered_request_head(request.head, fields, "upstream:8081", out);
  return out;
}

inline ClientSide client() {
  ClientSide side;
  side.date = date;
  return side;
}

inline std::string relayed(const Response& response, const ClientSide& side = client(),
                           BodyFraming framing = BodyFraming::as_it_came, std::size_t bytes = 0,
                           const std::optional<DecisionFields>& decision = std::nullopt) {
  REQUIRE_FALSE(response.bad);
  std::string out;
  write_response_head(response.head, side, framing, bytes, decision, out);
  return out;
}

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What every covered request carries behind its own fields.
inline constexpr std::string_view covered_tail =
    "x-request-id: r-1\r\nx-forwarded-for: 10.0.0.9\r\nx-forwarded-proto: http\r\n"
    "x-forwarded-host: h\r\nx-envoy-expected-rq-timeout-ms: 30000\r\n\r\n";

}  // namespace onceproxy::http::testing
