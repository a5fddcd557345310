// Accept-Encoding: the content codings that the answer to a request may have (RFC 9110 12.5.3).
// Pure; thread-safe.
#pragma once

#include <string_view>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// Whether the request accepts an answer with this coding. x-gzip is gzip (RFC 9110 8.4.1.3).
/// Without the field the RFC lets a server choose any coding. A client without the field can rarely
/// decode one, so no coding is assumed. A malformed weight counts as 1.
bool names_coding(const RequestView& request, std::string_view coding);

}  // namespace onceproxy::policies
