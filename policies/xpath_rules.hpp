// Which XPath expressions are taken: those of XPath 1.0 whose cost is bounded by the size of the
// document, whatever the document says. A document comes from a client, so an expression that
// compares every element with every other one would let one body occupy a worker for minutes.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::policies {

inline constexpr std::size_t xpath_bytes_max = 1000;

/// What keeps an expression from being taken, as the end of a sentence that begins with the
/// expression; nothing where only the grammar of XPath has still to be asked. Refused are names
/// with a prefix (names match by their local part), axes by their name, comparisons of two paths,
/// the functions that look at namespaces, languages and ids, and inside a predicate another
/// predicate and every path that does not go down by names alone.
std::optional<std::string> wrong_xpath(std::string_view expression);

}  // namespace onceproxy::policies
