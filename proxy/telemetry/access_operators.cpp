#include "proxy/telemetry/access_operators.hpp"

#include <algorithm>
#include <array>

namespace onceproxy::telemetry {
namespace {

using Arguments = AccessArguments;
using Operator = AccessOperator;

constexpr std::array known{
    KnownOperator{"START_TIME", Operator::start_time, Arguments::time},
    KnownOperator{"EMIT_TIME", Operator::emit_time, Arguments::time},
    KnownOperator{"REQ", Operator::request_field, Arguments::field},
    KnownOperator{"RESP", Operator::response_field, Arguments::field},
    KnownOperator{"PATH", Operator::path, Arguments::path},
    KnownOperator{"PROTOCOL", Operator::protocol},
    KnownOperator{"RESPONSE_CODE", Operator::response_code},
    KnownOperator{"RESPONSE_CODE_DETAILS", Operator::response_code_details},
    KnownOperator{"RESPONSE_FLAGS", Operator::response_flags},
    KnownOperator{"RESPONSE_FLAGS_LONG", Operator::response_flags_long},
    KnownOperator{"BYTES_RECEIVED", Operator::bytes_received},
    KnownOperator{"BYTES_SENT", Operator::bytes_sent},
    KnownOperator{"DOWNSTREAM_WIRE_BYTES_SENT", Operator::wire_bytes_sent},
    KnownOperator{"DURATION", Operator::duration},
    KnownOperator{"UPSTREAM_HOST", Operator::upstream_host},
    KnownOperator{"UPSTREAM_REMOTE_ADDRESS", Operator::upstream_host},
    KnownOperator{"UPSTREAM_CLUSTER", Operator::upstream_cluster},
    KnownOperator{"UPSTREAM_REQUEST_ATTEMPT_COUNT", Operator::attempt_count},
    KnownOperator{"DOWNSTREAM_REMOTE_ADDRESS", Operator::remote_address},
    KnownOperator{"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Operator::remote_address},
    KnownOperator{"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Operator::remote_address_without_port},
    KnownOperator{"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
                  Operator::remote_address_without_port},
    KnownOperator{"DOWNSTREAM_REMOTE_PORT", Operator::remote_port},
    KnownOperator{"DOWNSTREAM_DIRECT_REMOTE_PORT", Operator::remote_port},
    KnownOperator{"STREAM_ID", Operator::stream_id},
    KnownOperator{"REQUEST_ID", Operator::stream_id},
    KnownOperator{"TRACE_ID", Operator::trace_id},
    KnownOperator{"HOSTNAME", Operator::hostname},
    KnownOperator{"ONCEPROXY_DECISION", Operator::decision},
    KnownOperator{"ONCEPROXY_SHADOW", Operator::shadow},
    KnownOperator{"ONCEPROXY_POLICY", Operator::policy},
    KnownOperator{"ONCEPROXY_FINGERPRINT", Operator::fingerprint},
    KnownOperator{"ONCEPROXY_ERROR", Operator::error},
    KnownOperator{"ONCEPROXY_UPSTREAM_DURATION", Operator::upstream_duration},
};

struct Foreign {
  /// The name, or how it begins if it ends in '*'.
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view no_metadata =
    "there are no filters, so there is no metadata and no filter state; %ONCEPROXY_DECISION%, "
    "%ONCEPROXY_POLICY% and %ONCEPROXY_FINGERPRINT% tell what was decided";

constexpr std::array foreign{
    Foreign{"DYNAMIC_METADATA", no_metadata},
    Foreign{"METADATA", no_metadata},
    Foreign{"CLUSTER_METADATA", no_metadata},
    Foreign{"UPSTREAM_METADATA", no_metadata},
    Foreign{"FILTER_STATE", no_metadata},
    Foreign{"UPSTREAM_FILTER_STATE", no_metadata},
    Foreign{"CEL", no_metadata},
    Foreign{"ROUTE_NAME", "there are no routes; %ONCEPROXY_POLICY% is the policy that applied"},
    Foreign{"VIRTUAL_CLUSTER_NAME", "there are no virtual clusters"},
    Foreign{"FILTER_CHAIN_NAME", "there are no filter chains"},
    Foreign{"TRAILER", "onceproxy drops trailers"},
    Foreign{"GRPC_STATUS*", "onceproxy does not read gRPC's status"},
    Foreign{"ENVIRONMENT", "the configuration itself reads the environment: write ${NAME}"},
    Foreign{"REQ_WITHOUT_QUERY", "write %PATH(NQ)%"},
    Foreign{"REQUEST_DURATION", "only %DURATION% and %ONCEPROXY_UPSTREAM_DURATION% are measured"},
    Foreign{"RESPONSE*_DURATION", "only %DURATION% and %ONCEPROXY_UPSTREAM_DURATION% are measured"},
    Foreign{"COMMON_DURATION", "only %DURATION% and %ONCEPROXY_UPSTREAM_DURATION% are measured"},
    Foreign{"ROUNDTRIP_DURATION", "only %DURATION% and %ONCEPROXY_UPSTREAM_DURATION% are measured"},
    Foreign{"DOWNSTREAM_*", "it is not recorded"},
    Foreign{"UPSTREAM_*", "it is not recorded"},
    Foreign{"CONNECTION_*",
            "connections have no numbers here; %ONCEPROXY_ERROR% says why a "
            "request failed"},
    Foreign{"REQUEST_HEADERS_BYTES", "sizes of heads are not recorded"},
    Foreign{"RESPONSE_HEADERS_BYTES", "sizes of heads are not recorded"},
    Foreign{"RESPONSE_TRAILERS_BYTES", "onceproxy drops trailers"},
    Foreign{"REQUESTED_SERVER_NAME", "it is not recorded"},
    Foreign{"LOCAL_REPLY_BODY", "%ONCEPROXY_ERROR% says why a request failed"},
    Foreign{"ACCESS_LOG_TYPE", "there is one access log"},
    Foreign{"UNIQUE_ID", "write %STREAM_ID%"},
    Foreign{"START_TIME_LOCAL", "times are UTC: write %START_TIME%"},
    Foreign{"EMIT_TIME_LOCAL", "times are UTC: write %EMIT_TIME%"},
    Foreign{"QUERY_PARAM*", "write %PATH(WQ)%"},
};

bool is(const Foreign& one, std::string_view name) {
  const std::size_t star = one.name.find('*');
  if (star == std::string_view::npos) return one.name == name;
  return name.starts_with(one.name.substr(0, star)) && name.ends_with(one.name.substr(star + 1));
}

/// Letters that differ at the same place, and the difference in length.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t both = std::min(a.size(), b.size());
  std::size_t apart = std::max(a.size(), b.size()) - both;
  for (std::size_t i = 0; i < both; ++i) apart += a[i] != b[i] ? 1 : 0;
  return apart;
}

}  // namespace

const KnownOperator* known_operator(std::string_view name) {
  const auto* const found =
      std::ranges::find_if(known, [&](const KnownOperator& one) { return one.name == name; });
  return found == known.end() ? nullptr : found;
}

std::string why_no_operator(std::string_view name) {
  for (const Foreign& one : foreign) {
    if (is(one, name)) return std::string(one.why);
  }
  constexpr std::size_t near = 2;
  for (const KnownOperator& one : known) {
    if (name.size() > near + 1 && distance(one.name, name) <= near) {
      return "did you mean %" + std::string(one.name) + "%?";
    }
  }
  return "there is no such operator; proxy/telemetry/REFERENCE.md lists those there are";
}

}  // namespace onceproxy::telemetry
