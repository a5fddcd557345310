// Which sources and modifiers a selector may have, and what cannot be meant of one. Private to this
// folder. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/selector_rows.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// Whose fields a selector names.
enum class Of { request_with_key, request, answer };

bool fits(policies::Source source, Of of);
/// The keys of the sources that fit.
std::vector<std::string> sources(Of of);

/// Whether an entry is what a condition tests its field with.
bool is_test(const Node::Entry& entry);

/// Whether both name the same of a request, whatever becomes of it then.
bool reads_the_same(const policies::Selector& a, const policies::Selector& b);

/// What cannot be meant of a selector.
void check_selector(const Node& node, const SelectorDraft& draft, Of of);

/// The table's schema, of which exactly one source must be given.
Json exactly_one_source(Json schema, Of of);

}  // namespace onceproxy::config
