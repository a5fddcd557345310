// The CORS protocol (Fetch standard, 3.3) on answers made here: without it a script of another
// origin sees of a refusal neither the status nor Retry-After, only a network error.
// Pure; thread-safe.
#pragma once

#include <string_view>

#include "policies/cors.hpp"
#include "proxy/gate/answer.hpp"

namespace onceproxy::gate {

/// Makes the answer readable to pages of `origin`, the request's Origin, where that is allowed; to
/// caches it says that it depends on Origin in any case. What the answer says about CORS itself,
/// being stored or fixed, gives way.
void let_read(Answer& answer, const policies::Cors& cors, std::string_view origin);

/// What a browser asks before a request that needs it (Fetch standard, 3.3.2).
struct Preflight {
  std::string_view origin;
  /// Of the request that would follow; a token.
  std::string_view method;
  /// The names of its fields, as they came; empty: none that needs to be allowed.
  std::string_view headers;
};

/// 204 that allows what is asked, or 403 where the origin is not allowed.
Answer answer_preflight(const policies::Cors& cors, const Preflight& preflight);

}  // namespace onceproxy::gate
