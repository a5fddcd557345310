#include "config/tracing_reader.hpp"

#include <algorithm>

#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

/// OTLP over HTTP (4318), not gRPC (4317).
constexpr const char* endpoint_example = "http://127.0.0.1:4318/v1/traces";
constexpr std::size_t service_name_bytes_max = 255;

std::optional<std::string> not_an_endpoint(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const std::string_view rest = url.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos)
      return "names a user: it would show in logs; let a collector beside onceproxy sign in";
    if (authority.empty() || authority.starts_with(':')) break;
    if (!std::ranges::all_of(rest, [](char c) { return c > ' ' && c <= '~'; })) break;
    return std::nullopt;
  }
  return std::string("is not an http or https URL such as ") + endpoint_example;
}

std::optional<std::string> not_a_name(std::string_view name) {
  if (!name.empty() && name.size() <= service_name_bytes_max) return std::nullopt;
  return "is not a valid name; it has 1 to 255 bytes";
}

}  // namespace

Kind<telemetry::TracingOptions> tracing() {
  using T = telemetry::TracingOptions;
  return section<T>({"tracing",
                     {key<T>("endpoint", &T::endpoint, text("a URL", not_an_endpoint),
                             "The URL to which spans are sent as OTLP over HTTP, such as "
                             "http://127.0.0.1:4318/v1/traces.",
                             Need::required),
                      key<T>("sample_ratio", &T::sample_ratio, share(),
                             "The share of traces that are recorded, from 0 to 1. It applies to "
                             "traces that begin here. For a request that belongs to a trace "
                             "already, the decision of its parent applies."),
                      key<T>("service_name", &T::service_name, text("a name", not_a_name),
                             "The attribute service.name of the spans.")}});
}

}  // namespace onceproxy::config
