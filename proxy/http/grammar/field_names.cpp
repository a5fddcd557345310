#include <algorithm>
#include <array>
#include <cstdint>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;

struct Name {
  std::string_view text;
  Known known;
};

constexpr auto by_length = [](auto names) {
  std::ranges::sort(names, {}, [](const Name& name) { return name.text.size(); });
  return names;
};

constexpr auto names = by_length(std::to_array<Name>({
    {"host", Known::host},
    {"content-length", Known::content_length},
    {"transfer-encoding", Known::transfer_encoding},
    {"connection", Known::connection},
    {"keep-alive", Known::hop_by_hop},
    {"proxy-connection", Known::hop_by_hop},
    {"proxy-authenticate", Known::hop_by_hop},
    {"proxy-authorization", Known::hop_by_hop},
    {"proxy-authentication-info", Known::hop_by_hop},
    {"te", Known::hop_by_hop},
    {"trailer", Known::hop_by_hop},
    {"upgrade", Known::upgrade},
    {"expect", Known::expect},
    {"date", Known::date},
    {"x-request-id", Known::request_id},
    {"x-forwarded-for", Known::forwarded_for},
    {"x-forwarded-proto", Known::forwarded_proto},
    {"x-forwarded-host", Known::forwarded_host},
    {"x-envoy-expected-rq-timeout-ms", Known::expected_timeout},
    {"x-envoy-upstream-service-time", Known::service_time},
    {"traceparent", Known::traceparent},
    {"tracestate", Known::tracestate},
    {"x-forwarded-client-cert", Known::client_certificate},
}));

constexpr std::string_view own_prefix = "onceproxy-";

constexpr std::size_t length_max = names.back().text.size();

/// Names of n characters are those from firsts[n] up to firsts[n + 1]: for most fields none, and
/// never more than a few.
constexpr auto firsts = [] {
  std::array<std::uint8_t, length_max + 2> out{};
  for (const Name& name : names) {
    for (std::size_t i = name.text.size() + 1; i < out.size(); ++i) ++out[i];
  }
  return out;
}();

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

}  // namespace

Known known_field(std::string_view name) {
  const char first = lower(name[0]);
  if (first == 'o' && name.size() > own_prefix.size() &&
      equals_ignoring_case(name.substr(0, own_prefix.size()), own_prefix)) {
    return Known::ours;
  }
  if (name.size() > length_max) return Known::other;
  for (std::size_t i = firsts[name.size()]; i < firsts[name.size() + 1]; ++i) {
    const Name& candidate = names[i];
    if (candidate.text[0] == first && equals_ignoring_case(candidate.text, name)) {
      return candidate.known;
    }
  }
  return Known::other;
}

}  // namespace onceproxy::http
