// Converts heads from Envoy's messages. They are written as HTTP/1.1 and read by the strict
// validator of the data port, so that a request has the same RequestView and fingerprint through
// both ports. Envoy has already handled the framing, so its Transfer-Encoding is left out. Pure;
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

/// Writes the head to `text`, and `head` gets views of it. Returns the reason if the head is
/// refused. The size is limited only by the size of the message, because Envoy has its own limits
/// for heads.
std::optional<http::BadHead> read_request_head(const HeaderMap& fields, std::string& text,
                                               http::RequestHead& head);

/// The same for an answer; `to_method` is the method of its request.
std::optional<http::BadHead> read_response_head(const HeaderMap& fields, std::string_view to_method,
                                                std::string& text, http::ResponseHead& head);

/// The first value of a field or pseudo-field; nothing if there is none.
std::optional<std::string_view> value_in(const HeaderMap& fields, std::string_view name);

}  // namespace onceproxy::ext_proc
