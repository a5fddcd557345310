// The text formats of gRPC over HTTP/2: the timeout, the message of a status, the content type.
// Pure. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/grpc/status.hpp"
#include "proxy/http2/fields.hpp"

namespace onceproxy::grpc {

inline constexpr std::string_view content_type = "application/grpc";

/// Whether the type is "application/grpc", also with a message format or parameters, such as
/// "application/grpc+proto".
bool is_grpc(std::string_view content_type);

/// The longest timeout that is used.
inline constexpr std::chrono::hours timeout_max{24 * 365};
/// Reads the value of grpc-timeout: one to eight digits and a unit (H, M, S, m, u, n), rounded up
/// to whole milliseconds. Returns nothing if the value is not valid.
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text);

/// Longer messages are cut off at the end of a character, because a client may accept only 8 KiB of
/// fields.
inline constexpr std::size_t status_message_bytes_max = 1024;
/// The value of grpc-message: every character other than visible ASCII, and '%', is written as %XX.
std::string percent_encoded(std::string_view text);

/// The trailers grpc-status and, if there is a message, grpc-message.
http2::Fields trailers_of(const Status& status);

}  // namespace onceproxy::grpc
