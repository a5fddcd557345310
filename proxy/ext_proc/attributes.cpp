#include "proxy/ext_proc/attributes.hpp"

#include <algorithm>

namespace onceproxy::ext_proc {

namespace {

constexpr std::string_view via_service = "via_upstream";
constexpr std::string_view via_route = "direct_response";

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

/// Whether Envoy answered where it makes no attempt before and none afterwards.
bool before_any_attempt(std::string_view details) {
  static constexpr std::string_view known[] = {"cluster_not_found", "route_not_found", via_route,
                                               "maintenance_mode", "no_cluster_found"};
  return std::ranges::find(known, details) != std::end(known);
}

/// Whether this attempt found no host. It may be a retry.
bool found_no_host(std::string_view details) {
  return details == "no_healthy_upstream";
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
  for (const AttributesEntry& filter : message.attributes()) {
    for (const AttributeEntry& field : filter.value().fields()) {
      if (field.key() == "source.address") {
        client_ = without_port(field.value().string_value());
      } else if (field.key() == "response.code_details") {
        details_ = field.value().string_value();
      } else if (field.key() == "upstream.request_attempt_count") {
        attempts_ = field.value().number_value();
      }
    }
  }
}

bool AttributesTold::told_by_route() const {
  return details_ == via_route;
}

Origin AttributesTold::origin(const http::ResponseHead& head) const {
  if (details_.empty()) return tells_service_time(head) ? Origin::service : Origin::unknown;
  if (details_ == via_service) return Origin::service;
  if (before_any_attempt(details_) && attempts_.value_or(0) <= 1) return Origin::not_sent;
  // An earlier attempt may have reached the service. Without the attribute it is not known whether
  // there was one.
  const bool attempt_failed = found_no_host(details_) || connection_failed(details_);
  if (attempt_failed && attempts_ && *attempts_ <= 1) return Origin::not_sent;
  return timed_out(details_) ? Origin::timeout : Origin::unknown;
}

}  // namespace onceproxy::ext_proc
