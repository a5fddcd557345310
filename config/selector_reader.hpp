// Selectors: maps with one source key and the modifiers that make sense for it. Pure; thread-safe.
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

struct SelectorDraft;

// For a table that is a selector's rows (selector_rows.hpp) and some of its own, without client
// keys.

/// What cannot be meant of a selector.
void check_selector(const Node& node, const SelectorDraft& draft);
/// With what is selected inside its field, and the whole of a chain of `otherwise`, in its text.
policies::Selector finished(const Node& node, policies::Selector selector);
/// The table's schema, of which exactly one source must be given.
Json one_source(Json schema);

/// The selector that `fingerprint: client_key` is short for.
policies::Selector default_client_key();

/// A compiled RE2 expression; problems carry RE2's own message.
Kind<policies::Regex> regex();

}  // namespace onceproxy::config
