// `match`: the requests that a policy covers. Pure; thread-safe.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::Match> match();

/// The requests that a policy covers if it has no `match`: the methods that change something, on
/// every path.
policies::Match default_match();

/// The names that `path` selectors may use.
std::set<std::string> captures_of(const policies::Match& match);

/// Whether `earlier` certainly covers every request that `later` covers.
bool covers(const policies::Match& earlier, const policies::Match& later);

/// Whether `earlier` certainly holds if `later` holds.
bool covers(const std::vector<policies::Condition>& earlier,
            const std::vector<policies::Condition>& later);

}  // namespace onceproxy::config
