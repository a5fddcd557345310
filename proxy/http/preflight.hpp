// CORS on the data port: which rules apply to an answer that onceproxy makes, and the answer to a
// preflight request (Fetch standard, 3.3.2). Pure; thread-safe.
#pragma once

#include "policies/cors.hpp"
#include "policies/policy.hpp"
#include "proxy/gate/answer.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/request.hpp"
#include "proxy/http/setup.hpp"

namespace onceproxy::http {

/// The rules for answers to a request that `policy` covers (nullptr: no policy covers it); returns
/// nullptr if there are none.
const policies::Cors* cors_of(const Options& options, const policies::Policy* policy);

/// The policy whose rules answer a preflight: the first one that may cover the announced request,
/// whose fields and body are not known yet. Returns nullptr if the request is not a preflight, or
/// if the service must answer it.
const policies::Policy* preflighted(const Request& request, const Setup& setup);

/// The answer to a preflight with the result of preflighted().
gate::Answer answer_preflight(const Request& request, const Setup& setup,
                              const policies::Policy& covering);

}  // namespace onceproxy::http
