// AccessFormat: the parsed value of log.access_format: a line of text with Envoy's command
// operators, or a JSON object whose values are such texts. It does not know requests;
// access_format_line.hpp writes the lines.
//
// A format has at most 8 KiB and 64 operators. A value in a line has at most 8 KiB unless the
// format allows more, up to 64 KiB. Immutable once made; thread-safe.
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
  /// The error, and its byte in the text.
  struct Problem {
    std::size_t offset = 0;
    std::string message;
  };

  static constexpr std::size_t bytes_max = 8 * 1024;
  static constexpr std::size_t operators_max = 64;
  static constexpr std::size_t value_bytes_default = 8 * 1024;
  static constexpr std::size_t value_bytes_max = 64 * 1024;

  /// A part of a line: an operator, or the text between two operators.
  struct Piece {
    /// Absent: `literal`, which is written unchanged.
    std::optional<AccessOperator> what;
    std::string literal = {};
    /// For REQ and RESP, in lower case: the field, and the field that is used if it is missing.
    std::string field = {};
    std::string other_field = {};
    /// For START_TIME and EMIT_TIME.
    std::optional<AccessTime> time = std::nullopt;
    /// For PATH(NQ).
    bool without_query = false;
    std::size_t bytes_max = value_bytes_default;
  };
  using Text = std::vector<Piece>;

  /// A member of a JSON object, or the text before it.
  struct JsonStep {
    /// The JSON up to the value.
    std::string before;
    /// Empty: there is no value; the object ends with `before`.
    Text value;
  };

  /// A line of text. A newline at its end is removed, since every line has one.
  static tl::expected<AccessFormat, Problem> text(std::string_view format);

  bool is_json() const { return !json_.empty(); }
  const Text& line() const { return text_; }
  const std::vector<JsonStep>& json() const { return json_; }

  /// Whether it has %RESP(…)% or an operator that needs the size of the answer's head.
  bool wants_answer_head() const { return wants_answer_head_; }

  /// Builds a JSON object, member by member.
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
  /// The member `name` is an object; the following members belong to it until end_object().
  void begin_object(std::string_view name);
  void end_object();
  /// The member `name` has this text. If it is a single operator, the value keeps its type: numbers
  /// are numbers, and a missing value is null.
  std::optional<Problem> member(std::string_view name, std::string_view format);
  /// The finished format. Nothing may be added afterwards.
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
