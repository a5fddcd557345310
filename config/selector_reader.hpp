// Selectors: maps with one source and its modifiers. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// The sources that a list of selectors may use.
enum class Sources {
  all,
  no_client_key,  ///< a client's key names an operation: it belongs in the fingerprint
};

Kind<policies::Selector> selector(Sources sources);

/// A list of different selectors.
Kind<std::vector<policies::Selector>> selectors(Sources sources, Empty empty);

struct SelectorDraft;

// For a table that has the rows of a selector (selector_rows.hpp) and its own, without client keys.

/// Reports errors in a selector.
void check_selector(const Node& node, const SelectorDraft& draft);
/// The text of a selector, including its modifiers and a whole chain of `otherwise`.
policies::Selector finished(const Node& node, policies::Selector selector);
/// The table's schema, in which exactly one source must be given.
Json one_source(Json schema);

/// The selector for which `fingerprint: client_key` is short.
policies::Selector default_client_key();

/// A compiled RE2 expression; problems carry RE2's own message.
Kind<policies::Regex> regex();

}  // namespace onceproxy::config
