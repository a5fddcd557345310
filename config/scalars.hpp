// The kinds of single values: durations, sizes, whole numbers, flags, words, addresses, texts.
// Types are strict: a quoted scalar is text, so "5" is not a number. A scalar with a variable has
// the type of its resulting text. Pure; thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "config/kind.hpp"
#include "config/settings.hpp"
#include "config/text.hpp"

namespace onceproxy::config {

using std::chrono::milliseconds;

/// The errors of these three are complete messages.
tl::expected<milliseconds, std::string> parse_duration(std::string_view text);
tl::expected<std::uint64_t, std::string> parse_size(std::string_view text);
tl::expected<Endpoint, std::string> parse_address(std::string_view text);

/// The notation of the configuration: 30s, 24h, 64KiB.
std::string duration_text(milliseconds value);
std::string size_text(std::uint64_t value);

Kind<milliseconds> duration(milliseconds min, milliseconds max);
/// The range of every timeout: from 1ms to timeout_max.
Kind<milliseconds> timeout();
inline constexpr milliseconds timeout_max = std::chrono::hours(24);
/// A duration of at least 1ms, or 0 with or without a unit, for features that can be turned off.
Kind<milliseconds> duration_or_zero(milliseconds max);
Kind<std::size_t> size(std::uint64_t min, std::uint64_t max);
Kind<std::size_t> integer(std::int64_t min, std::int64_t max);
/// The same for a member of another type, which must be able to hold the range of `any`.
template <typename T>
Kind<T> as(Kind<std::size_t> any) {
  Kind<T> kind;
  kind.read = [any](const Node& node) -> std::optional<T> {
    const auto value = any.read(node);
    if (!value) return std::nullopt;
    return static_cast<T>(*value);
  };
  kind.schema = any.schema;
  kind.print = [any](const T& value) { return any.print(static_cast<std::size_t>(value)); };
  return kind;
}
/// A number from 0 to 1.
Kind<double> share();
Kind<bool> flag();
/// A flag that is only meaningful if it is true.
Kind<bool> only_true();
enum class PortZero { allowed, refused };
Kind<Endpoint> address(PortZero port_zero);

/// Any text, including numbers and flags as written. `check` returns what is wrong.
using TextCheck = std::function<std::optional<std::string>(std::string_view)>;
Kind<std::string> text(std::string what, TextCheck check = nullptr);
/// Text that is compared with a field of a request, or replaces one.
Kind<std::string> value_text();
/// Whether the text of a plain scalar is a whole number; for values that may be a number or a word.
std::optional<std::int64_t> whole_number(std::string_view text);

/// The schema `schema`, or a text with a variable in it.
Json or_variable(Json schema);

/// Reads one of several words; -1 if there is a problem, which has been reported.
int read_word(const Node& node, const std::vector<std::string>& words);
Json word_schema(const std::vector<std::string>& words);

template <typename E>
Kind<E> word(std::vector<std::pair<std::string, E>> choices) {
  std::vector<std::string> words;
  words.reserve(choices.size());
  for (const auto& choice : choices) words.push_back(choice.first);
  Kind<E> kind;
  kind.read = [choices, words](const Node& node) -> std::optional<E> {
    const int index = read_word(node, words);
    if (index < 0) return std::nullopt;
    return choices[static_cast<std::size_t>(index)].second;
  };
  kind.schema = [words] { return word_schema(words); };
  kind.print = [choices](const E& value) {
    for (const auto& [name, choice] : choices) {
      if (choice == value) return Json(name);
    }
    return Json();
  };
  return kind;
}

}  // namespace onceproxy::config
