#include "proxy/ext_proc/grpc_answer.hpp"

#include <array>
#include <charconv>
#include <cstddef>

#include "policies/request_view.hpp"

namespace onceproxy::ext_proc {

namespace {

constexpr std::string_view grpc_type = "application/grpc";
constexpr int bad_gateway = 502;

/// As in google/rpc/code.proto, but for what may come from somebody else than the service or after
/// the work: CANCELLED is the same as DEADLINE_EXCEEDED. UNAVAILABLE is 502, because a proxy
/// between Envoy and the service says it for each of 429, 502, 503 and 504 (gRPC's "HTTP to gRPC
/// Status Code Mapping"). RESOURCE_EXHAUSTED also, because a library says it when an answer is too
/// large.
constexpr std::array<int, 17> statuses{
    200,  // OK
    504,  // CANCELLED
    500,  // UNKNOWN
    400,  // INVALID_ARGUMENT
    504,  // DEADLINE_EXCEEDED
    404,  // NOT_FOUND
    409,  // ALREADY_EXISTS
    403,  // PERMISSION_DENIED
    502,  // RESOURCE_EXHAUSTED
    400,  // FAILED_PRECONDITION
    409,  // ABORTED
    400,  // OUT_OF_RANGE
    501,  // UNIMPLEMENTED
    500,  // INTERNAL
    502,  // UNAVAILABLE
    500,  // DATA_LOSS
    401,  // UNAUTHENTICATED
};

}  // namespace

GrpcKind grpc_kind(const http::ResponseHead& head) {
  for (const http::Field& field : head.fields) {
    if (!policies::equals_ignoring_case(field.name, "content-type")) continue;
    const std::string_view type = field.value;
    if (!policies::equals_ignoring_case(type.substr(0, grpc_type.size()), grpc_type)) continue;
    const std::string_view rest = type.substr(grpc_type.size());
    const bool plain = rest.empty() || rest.front() == '+' || rest.front() == ';';
    return plain ? GrpcKind::grpc : GrpcKind::web;
  }
  return GrpcKind::none;
}

int status_of_grpc(std::optional<std::string_view> grpc_status) {
  if (!grpc_status) return bad_gateway;
  std::size_t number = 0;
  const char* const end = grpc_status->data() + grpc_status->size();
  const auto read = std::from_chars(grpc_status->data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number >= statuses.size()) return bad_gateway;
  return statuses[number];
}

}  // namespace onceproxy::ext_proc
