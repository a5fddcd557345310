// Accept-Encoding: which content codings the answer to a request may come in (RFC 9110 12.5.3).
// Pure; thread-safe.
#pragma once

#include <string_view>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// Whether the request says that it takes an answer in this coding. x-gzip is gzip (RFC 9110
/// 8.4.1.3). Without the field the RFC lets a server choose any coding; a client that names none
/// seldom can undo one, so none counts as named. A weight that is malformed counts as 1.
bool names_coding(const RequestView& request, std::string_view coding);

}  // namespace onceproxy::policies
