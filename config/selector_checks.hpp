// Checks which sources and modifiers a selector may have, and reports combinations that cannot be
// intended. Private to this folder. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/selector_rows.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// The message whose fields a selector reads.
enum class Of { request_with_key, request, answer };

bool fits(policies::Source source, Of of);
/// The keys of the suitable sources.
std::vector<std::string> sources(Of of);

/// Whether an entry is a test of a condition.
bool is_test(const Node::Entry& entry);

/// Whether both select the same field, regardless of its further processing.
bool reads_the_same(const policies::Selector& a, const policies::Selector& b);

/// Reports errors in a selector.
void check_selector(const Node& node, const SelectorDraft& draft, Of of);

/// The table's schema, in which exactly one source must be given.
Json exactly_one_source(Json schema, Of of);

}  // namespace onceproxy::config
