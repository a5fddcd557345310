// The XPath expressions that are accepted: those of XPath 1.0 whose cost is limited by the size of
// the document. A document comes from a client, so an expression that compares every element with
// every other one would let one body occupy a worker for minutes. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::policies {

inline constexpr std::size_t xpath_bytes_max = 1000;

/// The reason why an expression is refused, as the end of a sentence that begins with the
/// expression; nothing if only XPath's grammar remains to be checked. Refused are names with a
/// prefix (names match by their local part), named axes, comparisons of two paths, and functions on
/// namespaces, languages and ids. Inside a predicate, another predicate and every path except one
/// down by names are refused.
std::optional<std::string> wrong_xpath(std::string_view expression);

}  // namespace onceproxy::policies
