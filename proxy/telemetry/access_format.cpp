#include "proxy/telemetry/access_format.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

using Piece = AccessFormat::Piece;
using Problem = AccessFormat::Problem;

constexpr std::string_view token_punctuation = "!#$%&'*+-.^_`|~";

bool is_operator_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The name of a field, or one of the pseudo-fields that a request and an answer have (RFC 9113
/// 8.3), in lower case.
tl::expected<std::string, std::string> field_name(std::string_view name, AccessOperator what) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (lower.starts_with(':')) {
    const bool of_request =
        lower == ":method" || lower == ":path" || lower == ":authority" || lower == ":scheme";
    if (what == AccessOperator::request_field ? of_request : lower == ":status") return lower;
    return tl::unexpected("there is no " + lower +
                          "; a request has :METHOD, :PATH, :AUTHORITY and "
                          ":SCHEME, an answer :STATUS");
  }
  const bool token = !lower.empty() && std::ranges::all_of(lower, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           token_punctuation.find(c) != std::string_view::npos;
  });
  if (!token) return tl::unexpected("\"" + std::string(name) + "\" is not a valid header name");
  return lower;
}

std::optional<std::string> read_fields(std::string_view arguments, Piece& piece) {
  const std::size_t mark = arguments.find('?');
  auto field = field_name(arguments.substr(0, mark), *piece.what);
  if (!field) return field.error();
  piece.field = *std::move(field);
  if (mark == std::string_view::npos) return std::nullopt;
  auto other = field_name(arguments.substr(mark + 1), *piece.what);
  if (!other) return other.error();
  piece.other_field = *std::move(other);
  return std::nullopt;
}

/// What is wrong with the arguments of an operator, if anything.
std::optional<std::string> read_arguments(const KnownOperator& known,
                                          std::optional<std::string_view> arguments, Piece& piece) {
  const std::string name(known.name);
  switch (known.arguments) {
    case AccessArguments::none:
      if (arguments) return name + " takes nothing in parentheses";
      return std::nullopt;
    case AccessArguments::time: {
      auto time = AccessTime::parse(arguments.value_or(""));
      if (!time) return time.error();
      piece.time = *std::move(time);
      return std::nullopt;
    }
    case AccessArguments::field:
      if (!arguments) return name + " needs the name of a header: %" + name + "(X-NAME)%";
      return read_fields(*arguments, piece);
    case AccessArguments::path: {
      // What the path was before it was rewritten is the same here: nothing is rewritten.
      const std::string_view how = arguments.value_or("WQ");
      const std::string_view query = how.substr(0, how.find(':'));
      const std::string_view which =
          query.size() == how.size() ? "ORIG_OR_PATH" : how.substr(query.size() + 1);
      piece.without_query = query == "NQ";
      const bool good = (query == "WQ" || query == "NQ" || query.empty()) &&
                        (which == "ORIG" || which == "PATH" || which == "ORIG_OR_PATH");
      if (!good) return std::string("PATH takes WQ (with the query) or NQ (without)");
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// An operator as it stands in the text: from one percent sign to the other.
struct Written {
  std::string_view name;
  std::optional<std::string_view> arguments;
  std::string_view length;
  std::size_t size = 0;
};

/// `text` begins with the percent sign. Nothing: it is no operator. A closing parenthesis ends the
/// arguments only where the operator can end behind it, as in Envoy, since %START_TIME(%s)% has
/// percent signs inside.
std::optional<Written> read_operator(std::string_view text) {
  Written written;
  std::size_t at = 1;
  while (at < text.size() && is_operator_letter(text[at])) ++at;
  written.name = text.substr(1, at - 1);
  if (written.name.empty()) return std::nullopt;
  const auto end_at = [&](std::size_t from) -> bool {
    std::size_t end = from;
    if (end < text.size() && text[end] == ':') {
      ++end;
      while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
      if (end == from + 1) return false;
      written.length = text.substr(from + 1, end - from - 1);
    }
    if (end >= text.size() || text[end] != '%') return false;
    written.size = end + 1;
    return true;
  };
  if (at < text.size() && text[at] == '(') {
    for (std::size_t close = text.find(')', at); close != std::string_view::npos;
         close = text.find(')', close + 1)) {
      written.length = {};
      if (!end_at(close + 1)) continue;
      written.arguments = text.substr(at + 1, close - at - 1);
      return written;
    }
    return std::nullopt;
  }
  if (!end_at(at)) return std::nullopt;
  return written;
}

/// The piece that an operator stands for.
tl::expected<Piece, std::string> piece_of(const Written& written) {
  const KnownOperator* const known = known_operator(written.name);
  if (known == nullptr) {
    return tl::unexpected("%" + std::string(written.name) +
                          "% cannot be used: " + why_no_operator(written.name));
  }
  Piece piece;
  piece.what = known->what;
  if (auto wrong = read_arguments(*known, written.arguments, piece)) {
    return tl::unexpected(*std::move(wrong));
  }
  if (!written.length.empty()) {
    const auto [end, error] = std::from_chars(
        written.length.data(), written.length.data() + written.length.size(), piece.bytes_max);
    if (error != std::errc() || piece.bytes_max == 0 ||
        piece.bytes_max > AccessFormat::value_bytes_max) {
      return tl::unexpected("a value is cut after 1 to " +
                            std::to_string(AccessFormat::value_bytes_max) + " bytes, not " +
                            std::string(written.length));
    }
  }
  return piece;
}

void add_literal(AccessFormat::Text& text, std::string_view literal) {
  if (text.empty() || text.back().what) text.push_back({});
  text.back().literal += literal;
}

}  // namespace

tl::expected<AccessFormat::Text, Problem> AccessFormat::parse(std::string_view format,
                                                              std::size_t& operators) {
  Text text;
  for (std::size_t at = 0; at < format.size();) {
    if (is_control(format[at])) {
      return tl::unexpected(Problem{at, "a line cannot hold a control character"});
    }
    if (format[at] != '%') {
      add_literal(text, format.substr(at++, 1));
      continue;
    }
    if (format.substr(at).starts_with("%%")) {
      add_literal(text, "%");
      at += 2;
      continue;
    }
    const auto written = read_operator(format.substr(at));
    if (!written) {
      return tl::unexpected(
          Problem{at,
                  "this % begins no operator; one is written %NAME%, %NAME(ARGUMENT)% or "
                  "%NAME(ARGUMENT):LENGTH%, and a percent sign itself %%"});
    }
    auto piece = piece_of(*written);
    if (!piece) return tl::unexpected(Problem{at, piece.error()});
    if (++operators > operators_max) {
      return tl::unexpected(
          Problem{at, "more than " + std::to_string(operators_max) + " operators"});
    }
    text.push_back(*std::move(piece));
    at += written->size;
  }
  return text;
}

void AccessFormat::note(const Text& text) {
  for (const Piece& piece : text) {
    if (piece.what == AccessOperator::response_field || piece.what == AccessOperator::bytes_sent) {
      wants_answer_head_ = true;
    }
  }
}

tl::expected<AccessFormat, Problem> AccessFormat::text(std::string_view format) {
  if (format.size() > bytes_max) {
    return tl::unexpected(
        Problem{bytes_max, "longer than " + std::to_string(bytes_max) + " bytes"});
  }
  while (format.ends_with('\n') || format.ends_with('\r')) format.remove_suffix(1);
  if (format.empty()) return tl::unexpected(Problem{0, "the format is empty"});
  std::size_t operators = 0;
  auto text = parse(format, operators);
  if (!text) return tl::unexpected(text.error());
  AccessFormat made;
  made.text_ = *std::move(text);
  made.note(made.text_);
  return made;
}

AccessFormat::Json::Json() = default;

void AccessFormat::Json::key(std::string_view name) {
  if (!first_) before_ += ',';
  first_ = false;
  append_json_string(before_, name);
  before_ += ':';
  bytes_ += name.size();
}

void AccessFormat::Json::begin_object(std::string_view name) {
  key(name);
  before_ += '{';
  first_ = true;
}

void AccessFormat::Json::end_object() {
  before_ += '}';
  first_ = false;
}

std::optional<Problem> AccessFormat::Json::member(std::string_view name, std::string_view format) {
  key(name);
  bytes_ += format.size();
  if (bytes_ > bytes_max) {
    return Problem{0, "the format is longer than " + std::to_string(bytes_max) + " bytes"};
  }
  auto text = parse(format, operators_);
  if (!text) return text.error();
  // An empty text is one, too.
  if (text->empty()) text->push_back({});
  made_.note(*text);
  made_.json_.push_back({std::move(before_), *std::move(text)});
  before_.clear();
  return std::nullopt;
}

AccessFormat AccessFormat::Json::finish() {
  made_.json_.push_back({std::move(before_) + "}", {}});
  return std::move(made_);
}

}  // namespace onceproxy::telemetry
