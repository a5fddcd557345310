// The small parts of gRPC over HTTP/2 that are text: the timeout, the message of a status, the
// content type. Pure. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/grpc/status.hpp"
#include "proxy/http2/fields.hpp"

namespace onceproxy::grpc {

inline constexpr std::string_view content_type = "application/grpc";

/// "application/grpc", also with a message format or parameters: "application/grpc+proto".
bool is_grpc(std::string_view content_type);

/// No timeout is taken for longer.
inline constexpr std::chrono::hours timeout_max{24 * 365};
/// The value of grpc-timeout: one to eight digits and a unit (H, M, S, m, u, n), rounded up to
/// whole milliseconds. Nothing: it is not one.
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text);

/// Longer messages of statuses are cut off at a character's end: a client may take no more than
/// 8 KiB of fields.
inline constexpr std::size_t status_message_bytes_max = 1024;
/// The value of grpc-message: what is not visible ASCII, and '%', as %XX.
std::string percent_encoded(std::string_view text);

/// grpc-status, and grpc-message where there is one.
http2::Fields trailers_of(const Status& status);

}  // namespace onceproxy::grpc
