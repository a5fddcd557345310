// What a gRPC answer says of its operation. Its HTTP status is nearly always 200, and the result is
// grpc-status: in the head if there is no message, otherwise in the trailers. Pure; thread-safe.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

enum class GrpcKind {
  none,
  grpc,  ///< the status comes with the trailers
  web,   ///< gRPC-Web: trailers are part of the body, which is not read
};
/// By the content type.
GrpcKind grpc_kind(const http::ResponseHead& head);

/// The HTTP status that corresponds to a grpc-status, for `outcome`. Nothing, or a text that is not
/// a status, is 502: such an answer was not made by the service, or is not whole.
int status_of_grpc(std::optional<std::string_view> grpc_status);

}  // namespace onceproxy::ext_proc
