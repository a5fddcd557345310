// CORS on the data port: whose rules hold for an answer made here, and the answer to a preflight,
// which is what a browser asks before a request of another origin (Fetch standard, 3.3.2).
// Pure; thread-safe.
#pragma once

#include "policies/cors.hpp"
#include "policies/policy.hpp"
#include "proxy/gate/answer.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/request.hpp"
#include "proxy/http/setup.hpp"

namespace onceproxy::http {

/// The rules for answers to a request that `policy` covers (nullptr: that none does); nullptr: none
/// hold.
const policies::Cors* cors_of(const Options& options, const policies::Policy* policy);

/// The policy by whose rules a preflight is answered here: the first that may cover the request
/// which it announces. What that one's fields and body are is not known yet. nullptr: the request
/// is not a preflight, or is for the service to answer.
const policies::Policy* preflighted(const Request& request, const Setup& setup);

/// The answer to what preflighted() found.
gate::Answer answer_preflight(const Request& request, const Setup& setup,
                              const policies::Policy& covering);

}  // namespace onceproxy::http
