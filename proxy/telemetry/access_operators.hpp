// The command operators of log.access_format: those of Envoy with the same meaning here, those of
// onceproxy, and the reasons why Envoy's other operators are refused. Plain values; thread-safe.
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

/// The parameter in parentheses after an operator.
enum class AccessArguments { none, time, field, path };

struct KnownOperator {
  std::string_view name;
  AccessOperator what;
  AccessArguments arguments = AccessArguments::none;
};

/// nullptr if there is no operator with that name.
const KnownOperator* known_operator(std::string_view name);

/// The reason why a name is refused, as the end of a sentence that contains the name: an operator
/// of Envoy without a meaning here, or the name that was probably meant.
std::string why_no_operator(std::string_view name);

}  // namespace onceproxy::telemetry
