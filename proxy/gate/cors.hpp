// The CORS protocol (Fetch standard, 3.3) for answers that onceproxy makes. Without it a script of
// another origin sees a refusal only as a network error, without status and Retry-After. Pure;
// thread-safe.
#pragma once

#include <string_view>

#include "policies/cors.hpp"
#include "proxy/gate/answer.hpp"

namespace onceproxy::gate {

/// Allows pages of `origin`, the request's Origin, to read the answer, if the configuration permits
/// it. In any case it adds `Vary: Origin` for caches. CORS fields that the answer already has,
/// because it is stored or fixed, are replaced.
void let_read(Answer& answer, const policies::Cors& cors, std::string_view origin);

/// A preflight request of a browser (Fetch standard, 3.3.2).
struct Preflight {
  std::string_view origin;
  /// The method of the following request; a token.
  std::string_view method;
  /// The unchanged names of its fields; empty if no field needs permission.
  std::string_view headers;
};

/// 204 that allows the request, or 403 if the origin is not allowed.
Answer answer_preflight(const policies::Cors& cors, const Preflight& preflight);

}  // namespace onceproxy::gate
