// AccessFormat: what log.access_format says, checked and taken apart once: a line of text with
// Envoy's command operators in it, or a JSON object whose values are such texts. It knows nothing
// of requests; access_format_line.hpp makes the lines.
//
// Bounded: a format has at most 8 KiB and 64 operators, and a value in a line at most 8 KiB unless
// the format itself asks for more, up to 64 KiB.
// Immutable once made; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/telemetry/access_operators.hpp"
#include "proxy/telemetry/access_time.hpp"

namespace onceproxy::telemetry {

class AccessFormat {
 public:
  /// What is wrong, and at which byte of the text.
  struct Problem {
    std::size_t offset = 0;
    std::string message;
  };

  static constexpr std::size_t bytes_max = 8 * 1024;
  static constexpr std::size_t operators_max = 64;
  static constexpr std::size_t value_bytes_default = 8 * 1024;
  static constexpr std::size_t value_bytes_max = 64 * 1024;

  /// A part of a line: an operator, or what stands between two.
  struct Piece {
    /// Absent: `literal`, which is written as it is.
    std::optional<AccessOperator> what;
    std::string literal = {};
    /// REQ and RESP, in lower case: the field, and the one that is looked for where it is missing.
    std::string field = {};
    std::string other_field = {};
    /// START_TIME and EMIT_TIME.
    std::optional<AccessTime> time = std::nullopt;
    /// PATH(NQ).
    bool without_query = false;
    std::size_t bytes_max = value_bytes_default;
  };
  using Text = std::vector<Piece>;

  /// A member of a JSON object, or what stands before one.
  struct JsonStep {
    /// Valid JSON up to the value.
    std::string before;
    /// Empty: nothing; the object ends with `before`.
    Text value;
  };

  /// A line of text. A newline at its end is what every line has anyway.
  static tl::expected<AccessFormat, Problem> text(std::string_view format);

  bool is_json() const { return !json_.empty(); }
  const Text& line() const { return text_; }
  const std::vector<JsonStep>& json() const { return json_; }

  /// It has %RESP(…)% or an operator that needs the size of the answer's head.
  bool wants_answer_head() const { return wants_answer_head_; }

  /// Puts a JSON object together, member by member.
  class Json;

 private:
  friend class Json;
  static tl::expected<Text, Problem> parse(std::string_view format, std::size_t& operators);
  void note(const Text& text);

  Text text_;
  std::vector<JsonStep> json_;
  bool wants_answer_head_ = false;
};

class AccessFormat::Json {
 public:
  Json();
  /// The member `name` is an object; what follows belongs to it until end_object().
  void begin_object(std::string_view name);
  void end_object();
  /// The member `name` is made of this text. One operator alone keeps its type: numbers are
  /// numbers, and what a request does not have is null.
  std::optional<Problem> member(std::string_view name, std::string_view format);
  /// The whole. Nothing may be added behind it.
  AccessFormat finish();

 private:
  void key(std::string_view name);

  AccessFormat made_;
  std::string before_ = "{";
  bool first_ = true;
  std::size_t operators_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace onceproxy::telemetry
