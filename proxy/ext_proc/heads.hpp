// Heads as Envoy tells them, read by the same strict validator as those of the data port: they are
// written down as HTTP/1.1 would have them, so that a request has one RequestView and one
// fingerprint through whichever port it comes. Envoy has decided on framing by then; what it says
// about Transfer-Encoding is left out.
// Pure; thread-safe.
#pragma once

#include <optional>
#include <string>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

/// `text` gets the head's bytes, and `head` views them. Why the head is refused, if it is. Bounded
/// by the size of the message alone: Envoy has limits of its own for heads.
std::optional<http::BadHead> read_request_head(const HeaderMap& fields, std::string& text,
                                               http::RequestHead& head);

/// The same for an answer; `to_method` is the method of its request.
std::optional<http::BadHead> read_response_head(const HeaderMap& fields, std::string_view to_method,
                                                std::string& text, http::ResponseHead& head);

}  // namespace onceproxy::ext_proc
