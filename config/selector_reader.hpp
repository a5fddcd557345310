// Selectors and the conditions built on them: maps with one source key and the modifiers that
// make sense for it. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// Which sources a list of selectors may name.
enum class Sources {
  all,
  no_client_key,  ///< a client's key names an operation: it belongs in the fingerprint
};

Kind<policies::Selector> selector(Sources sources);

/// A list of selectors, none of them named twice.
Kind<std::vector<policies::Selector>> selectors(Sources sources, Empty empty);

/// `match.where`.
Kind<std::vector<policies::Condition>> conditions();

/// `where` of an override: a condition, or a list of them. Nothing where one could not be read.
Kind<std::vector<policies::Condition>> one_or_more_conditions();

/// The selector that `fingerprint: client_key` is short for.
policies::Selector default_client_key();

/// A compiled RE2 expression; problems carry RE2's own message.
Kind<policies::Regex> regex();

}  // namespace onceproxy::config
