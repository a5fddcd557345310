#include "config/scalars.hpp"

#include <array>
#include <charconv>
#include <limits>

#include "config/foreign_units.hpp"

namespace onceproxy::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> duration_units{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> size_units{{{"", 1},
                                          {"KiB", std::uint64_t{1} << 10},
                                          {"MiB", std::uint64_t{1} << 20},
                                          {"GiB", std::uint64_t{1} << 30},
                                          {"TiB", std::uint64_t{1} << 40}}};
/// Everything larger is over every bound, and small enough that sums never overflow.
constexpr std::uint64_t huge = std::numeric_limits<std::int64_t>::max() / 4;

std::string_view digits_of(std::string_view text) {
  return text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
}

/// Digits and a unit; nothing when it is something else. Saturates at `huge`.
template <std::size_t N>
std::optional<std::uint64_t> number_with_unit(std::string_view text,
                                              const std::array<Unit, N>& units) {
  const std::string_view digits = digits_of(text);
  if (digits.empty()) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits.size()) != unit.name) continue;
    std::uint64_t value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec != std::errc() || value > huge / unit.factor) return huge;
    return value * unit.factor;
  }
  return std::nullopt;
}

std::string range_message(const std::string& min, const std::string& max, std::string_view text) {
  return "must be from " + min + " to " + max + ", found " + quote(text);
}

/// A bound on text cannot be said in JSON Schema, so it is said to readers: a comment, which the
/// reference shows.
Json with_range(Json schema, const std::string& min, const std::string& max) {
  set_member(schema, "$comment", "from " + min + " to " + max);
  return schema;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7f;
}

/// A variable may have put anything into a scalar.
std::optional<std::string> unclean(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return "is not UTF-8";
    if (is_control(text[i])) return "has a control character";
    i += length;
  }
  return std::nullopt;
}

}  // namespace

tl::expected<milliseconds, std::string> parse_duration(std::string_view text) {
  if (const auto value = number_with_unit(text, duration_units)) {
    return milliseconds(static_cast<std::int64_t>(*value));
  }
  std::string message =
      "expected a duration such as 500ms, 30s, 5m, 24h or 7d, found " + quote(text);
  if (!text.empty() && digits_of(text) == text) {
    message += "; a duration needs a unit";
  } else if (const auto meant = duration_meant(text)) {
    message += "; did you mean " + duration_text(*meant) + "?";
  }
  return tl::unexpected(std::move(message));
}

tl::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  if (const auto value = number_with_unit(text, size_units)) return *value;
  std::string message =
      "expected a size in bytes, or such as 64KiB, 1MiB or 4GiB, found " + quote(text);
  if (const auto meant = size_meant(text)) message += "; did you mean " + size_text(*meant) + "?";
  return tl::unexpected(std::move(message));
}

std::string duration_text(milliseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  if (count == 0) return "0ms";
  // A single day reads better as hours.
  if (count == 86'400'000) return "24h";
  for (auto unit = duration_units.rbegin(); unit != duration_units.rend(); ++unit) {
    if (count % unit->factor == 0) {
      return std::to_string(count / unit->factor) + std::string(unit->name);
    }
  }
  return "";
}

std::string size_text(std::uint64_t value) {
  for (auto unit = size_units.rbegin(); unit != size_units.rend(); ++unit) {
    if (value >= unit->factor && value % unit->factor == 0) {
      return std::to_string(value / unit->factor) + std::string(unit->name);
    }
  }
  return std::to_string(value);
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ptr != end) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) {
    return text.starts_with('-') ? std::numeric_limits<std::int64_t>::min()
                                 : std::numeric_limits<std::int64_t>::max();
  }
  return result.ec == std::errc() ? std::optional(value) : std::nullopt;
}

Kind<std::string> value_text() {
  Kind<std::string> kind = text("text");
  kind.read = [any = kind.read](const Node& node) -> std::optional<std::string> {
    if (node.is_scalar() || node.is_list() || node.is_map()) return any(node);
    // YAML's null is no value at all, and JSON's is one to compare with.
    node.problem(
        "expected text, found nothing; for JSON's null write \"null\" in quotes, for empty text "
        "\"\"");
    return std::nullopt;
  };
  return kind;
}

Json or_variable(Json schema) {
  return JsonObject(
      {{"anyOf", JsonArray({std::move(schema), JsonObject({{"$ref", "#/$defs/variable"}})})}});
}

Kind<milliseconds> duration(milliseconds min, milliseconds max) {
  Kind<milliseconds> kind;
  kind.read = [min, max](const Node& node) -> std::optional<milliseconds> {
    static constexpr auto what = "a duration such as 500ms, 30s, 5m, 24h or 7d";
    if (!node.is_scalar() || node.is_broken()) {
      node.expected(what);
      return std::nullopt;
    }
    const auto value = parse_duration(node.text());
    if (!value) {
      node.problem(value.error());
    } else if (*value < min || *value > max) {
      node.problem(range_message(duration_text(min), duration_text(max), node.text()));
    } else {
      return *value;
    }
    return std::nullopt;
  };
  kind.schema = [min, max] {
    return with_range(JsonObject({{"$ref", "#/$defs/duration"}}), duration_text(min),
                      duration_text(max));
  };
  kind.print = [](const milliseconds& value) { return Json(duration_text(value)); };
  return kind;
}

Kind<milliseconds> timeout() {
  return duration(milliseconds(1), timeout_max);
}

Kind<milliseconds> duration_or_zero(milliseconds max) {
  const Kind<milliseconds> some = duration(milliseconds(0), max);
  Kind<milliseconds> kind;
  kind.read = [some](const Node& node) -> std::optional<milliseconds> {
    if (node.is_scalar() && node.is_plain() && node.text() == "0") return milliseconds(0);
    return some.read(node);
  };
  kind.schema = [some] {
    return JsonObject({{"anyOf", JsonArray({some.schema(), JsonObject({{"const", 0}})})}});
  };
  kind.print = some.print;
  return kind;
}

Kind<std::size_t> size(std::uint64_t min, std::uint64_t max) {
  Kind<std::size_t> kind;
  kind.read = [min, max](const Node& node) -> std::optional<std::size_t> {
    const bool quoted_number = !node.is_plain() && digits_of(node.text()) == node.text();
    if (!node.is_scalar() || node.is_broken() || quoted_number) {
      node.expected(quoted_number && node.is_scalar() ? "a size without quotes" : "a size");
      return std::nullopt;
    }
    const auto value = parse_size(node.text());
    if (!value) {
      node.problem(value.error());
    } else if (*value < min || *value > max) {
      node.problem(range_message(size_text(min), size_text(max), node.text()));
    } else {
      return *value;
    }
    return std::nullopt;
  };
  kind.schema = [min, max] {
    return with_range(JsonObject({{"$ref", "#/$defs/size"}}), size_text(min), size_text(max));
  };
  kind.print = [](const std::size_t& value) { return Json(size_text(value)); };
  return kind;
}

Kind<std::size_t> integer(std::int64_t min, std::int64_t max) {
  Kind<std::size_t> kind;
  kind.read = [min, max](const Node& node) -> std::optional<std::size_t> {
    const auto value = whole_number(node.text());
    if (!node.is_plain() || node.is_broken() || !value) {
      node.expected(value && !node.is_plain() ? "a whole number without quotes" : "a whole number");
      return std::nullopt;
    }
    if (*value < min || *value > max) {
      node.problem(range_message(std::to_string(min), std::to_string(max), node.text()));
      return std::nullopt;
    }
    return static_cast<std::size_t>(*value);
  };
  kind.schema = [min, max] {
    return or_variable(JsonObject({{"type", "integer"}, {"minimum", min}, {"maximum", max}}));
  };
  kind.print = [](const std::size_t& value) { return Json(std::uint64_t{value}); };
  return kind;
}

Kind<double> share() {
  Kind<double> kind;
  kind.read = [](const Node& node) -> std::optional<double> {
    const std::string& text = node.text();
    double value = 0;
    const auto result =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    const bool number =
        result.ec == std::errc() && result.ptr == text.data() + text.size() && !text.empty();
    // Written this way round, "nan" is out of range too.
    if (node.is_plain() && !node.is_broken() && number && value >= 0 && value <= 1) return value;
    node.expected("a number from 0 to 1");
    return std::nullopt;
  };
  kind.schema = [] {
    return or_variable(JsonObject({{"type", "number"}, {"minimum", 0}, {"maximum", 1}}));
  };
  // The default is one of the two ends.
  kind.print = [](const double& value) { return Json(static_cast<int>(value)); };
  return kind;
}

Kind<bool> flag() {
  Kind<bool> kind;
  kind.read = [](const Node& node) -> std::optional<bool> {
    if (node.is_plain() && node.text() == "true") return true;
    if (node.is_plain() && node.text() == "false") return false;
    node.expected("true or false");
    return std::nullopt;
  };
  kind.schema = [] { return or_variable(JsonObject({{"type", "boolean"}})); };
  kind.print = [](const bool& value) { return Json(value); };
  return kind;
}

Kind<bool> only_true() {
  Kind<bool> kind;
  kind.read = [](const Node& node) -> std::optional<bool> {
    if (node.is_plain() && node.text() == "true") return true;
    node.expected("true");
    return std::nullopt;
  };
  kind.schema = [] { return or_variable(JsonObject({{"const", true}})); };
  return kind;
}

Kind<std::string> text(std::string what, TextCheck check) {
  Kind<std::string> kind;
  kind.read = [what, check](const Node& node) -> std::optional<std::string> {
    if (!node.is_scalar() || node.is_broken()) {
      node.expected(what);
      return std::nullopt;
    }
    auto wrong = unclean(node.text());
    if (!wrong && check) wrong = check(node.text());
    if (!wrong) return node.text();
    node.problem(quote(node.text()) + " " + *wrong);
    return std::nullopt;
  };
  kind.schema = [what] {
    Json schema = JsonObject({{"type", JsonArray({"string", "number", "boolean"})}});
    if (what != "text") set_member(schema, "$comment", what);
    return schema;
  };
  kind.print = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  return kind;
}

int read_word(const Node& node, const std::vector<std::string>& words) {
  if (node.is_scalar() && !node.is_broken()) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (node.text() == words[i]) return static_cast<int>(i);
    }
  }
  const std::string meant = node.is_scalar() ? nearest(node.text(), words) : "";
  if (meant.empty() || node.is_broken()) {
    node.expected(one_of(words));
  } else {
    node.problem("expected " + one_of(words) + ", found " + node.found() + "; did you mean \"" +
                 meant + "\"?");
  }
  return -1;
}

Json word_schema(const std::vector<std::string>& words) {
  JsonArray choices;
  for (const std::string& word : words) choices.emplace_back(word);
  return or_variable(JsonObject({{"enum", std::move(choices)}}));
}

}  // namespace onceproxy::config
