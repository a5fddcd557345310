// The command operators of log.access_format: the names of Envoy's that mean the same here, those
// that are onceproxy's own, and why the others of Envoy's are refused. Values alone; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::telemetry {

enum class AccessOperator {
  start_time,
  emit_time,
  request_field,
  response_field,
  path,
  protocol,
  response_code,
  response_code_details,
  response_flags,
  response_flags_long,
  bytes_received,
  bytes_sent,
  wire_bytes_sent,
  duration,
  upstream_host,
  upstream_cluster,
  attempt_count,
  remote_address,
  remote_address_without_port,
  remote_port,
  stream_id,
  trace_id,
  hostname,
  decision,
  shadow,
  policy,
  fingerprint,
  error,
  upstream_duration,
};

/// What stands in parentheses behind an operator.
enum class AccessArguments { none, time, field, path };

struct KnownOperator {
  std::string_view name;
  AccessOperator what;
  AccessArguments arguments = AccessArguments::none;
};

/// nullptr: there is none of that name.
const KnownOperator* known_operator(std::string_view name);

/// Why a name is refused, as the end of a sentence that names it: an operator of Envoy's that has
/// no meaning here, or what is probably meant.
std::string why_no_operator(std::string_view name);

}  // namespace onceproxy::telemetry
