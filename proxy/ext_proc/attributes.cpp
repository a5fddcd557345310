#include "proxy/ext_proc/attributes.hpp"

#include <algorithm>

namespace onceproxy::ext_proc {

namespace {

constexpr std::string_view via_service = "via_upstream";

/// Removes the port and the brackets of "1.2.3.4:5" or "[::1]:5"; a text that is not an address is
/// not changed.
std::string_view without_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return address;
  std::string_view host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

/// Whether Envoy answered before it had chosen a connection for the request.
bool before_any_attempt(std::string_view details) {
  static constexpr std::string_view known[] = {"no_healthy_upstream", "cluster_not_found",
                                               "route_not_found",     "direct_response",
                                               "maintenance_mode",    "no_cluster_found"};
  return std::ranges::find(known, details) != std::end(known);
}

/// Whether REASON in "upstream_reset_before_response_started{REASON|transport failure}" means that
/// there was no connection yet.
bool connection_failed(std::string_view details) {
  constexpr std::string_view reset = "upstream_reset_before_response_started{";
  if (!details.starts_with(reset)) return false;
  details.remove_prefix(reset.size());
  const std::string_view reason = details.substr(0, details.find_first_of("|,}"));
  static constexpr std::string_view known[] = {"connection_failure", "remote_connection_failure",
                                               "local_connection_failure", "connection_timeout",
                                               "overflow"};
  return std::ranges::find(known, reason) != std::end(known);
}

bool timed_out(std::string_view details) {
  static constexpr std::string_view known[] = {
      "upstream_response_timeout",     "response_timeout",    "upstream_per_try_timeout",
      "upstream_per_try_idle_timeout", "stream_idle_timeout", "max_duration_timeout"};
  return std::ranges::find(known, details) != std::end(known);
}

bool tells_service_time(const http::ResponseHead& head) {
  return std::ranges::count(head.known, http::Known::service_time) > 0;
}

}  // namespace

void AttributesTold::take(const ProcessingRequest& message) {
  for (const auto& [filter, attributes] : message.attributes()) {
    const auto& fields = attributes.fields();
    if (const auto found = fields.find("source.address"); found != fields.end()) {
      client_ = without_port(found->second.string_value());
    }
    if (const auto found = fields.find("response.code_details"); found != fields.end()) {
      details_ = found->second.string_value();
    }
    if (const auto found = fields.find("upstream.request_attempt_count"); found != fields.end()) {
      attempts_ = found->second.number_value();
    }
  }
}

Origin AttributesTold::origin(const http::ResponseHead& head) const {
  if (details_.empty()) return tells_service_time(head) ? Origin::service : Origin::unknown;
  if (details_ == via_service) return Origin::service;
  if (before_any_attempt(details_) && attempts_.value_or(0) <= 1) return Origin::not_sent;
  // An earlier attempt may have reached the service.
  if (connection_failed(details_) && attempts_ && *attempts_ <= 1) return Origin::not_sent;
  return timed_out(details_) ? Origin::timeout : Origin::unknown;
}

}  // namespace onceproxy::ext_proc
