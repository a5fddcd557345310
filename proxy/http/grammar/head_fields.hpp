// The common parts of reading both kinds of heads: lines, the version, fields, and their meaning
// for framing and persistence. Private to this folder: request_head.cpp and response_head.cpp use
// it. It does not handle parts of only one kind (Host, a status). Pure; thread-safe. Refusals are
// literals, see BadHead.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

constexpr BadHead bad(std::string_view reason, std::string_view detail, int status = 400) {
  return {status, reason, detail};
}

/// The facts about framing and persistence that one pass over the fields finds.
struct Facts {
  std::optional<std::uint64_t> length;
  /// The unchanged text.
  std::string_view length_digits;
  bool transfer_encoding = false;
  bool chunked = false;
  /// The transfer coding `identity` of RFC 2616 3.6, which changes nothing. Only if it is accepted.
  bool identity = false;
  bool close = false;
  bool keep_alive = false;
  bool any_connection = false;
  /// The lines of a head must all end in LF or all in CR LF. A head with both can result from a
  /// line break in a field's value, and parsers differ on it.
  bool bare_lf = false;
  /// The number of lines read so far.
  std::size_t lines = 0;
};

/// Removes the next line from `data` and returns it without its end. Every line of a head that
/// find_head_end found ends in LF. A line with another end than `facts` say is refused here, and a
/// bare CR by the tables.
inline bool take_line(std::string_view& data, std::string_view& line, Facts& facts) {
  ++facts.lines;
  const auto* end = static_cast<const char*>(std::memchr(data.data(), '\n', data.size()));
  if (end == nullptr) return false;
  const auto length = static_cast<std::size_t>(end - data.data());
  const bool has_cr = length > 0 && data[length - 1] == '\r';
  if (has_cr == facts.bare_lf) return false;
  line = data.substr(0, length - (has_cr ? 1 : 0));
  data.remove_prefix(length + 1);
  return true;
}

/// The same refusal, for the line that was read last.
inline BadHead at_line(BadHead bad, const Facts& facts) {
  bad.line = facts.lines;
  return bad;
}

/// take_line() found another line end than that of the head's first line.
BadHead bad_line_ending(const Facts& facts);

/// A head that is refused must not show the contents of the previous one.
void forget(Head& head);

/// Reads "HTTP/1.x" at the end of a request line or the start of a status line.
std::optional<BadHead> parse_version(std::string_view text, int& minor);

/// Reads field lines from `data` up to and including the empty one.
std::optional<BadHead> parse_fields(std::string_view& data, const HeadLimits& limits, Head& head,
                                    Facts& facts);

/// The rules for both kinds of messages after their fields have been read: Connection, and
/// contradictory framing (RFC 9112 6.1). Sets head.keep_alive.
std::optional<BadHead> finish_fields(Head& head, Facts& facts);

}  // namespace onceproxy::http
