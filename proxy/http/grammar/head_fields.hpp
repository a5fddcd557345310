// What both kinds of head are read with: lines, the version, fields, and what they say about
// framing and persistence. Private to this folder: request_head.cpp and response_head.cpp are made
// of it. It does not know what only one of them has (Host, a status).
// Pure; thread-safe. Refusals are literals, see BadHead.
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

/// What one pass over the fields finds out about framing and persistence.
struct Facts {
  std::optional<std::uint64_t> length;
  /// As it is written.
  std::string_view length_digits;
  bool transfer_encoding = false;
  bool chunked = false;
  /// The transfer coding that RFC 2616 3.6 called identity: none. Only where that is taken.
  bool identity = false;
  bool close = false;
  bool keep_alive = false;
  bool any_connection = false;
  /// The head's lines end in LF, all of them; else in CR LF, all of them. A head with both is what
  /// a line break in a field's value makes, and parsers differ on it.
  bool bare_lf = false;
  /// Lines taken so far.
  std::size_t lines = 0;
};

/// Takes the next line, without its end, off `data`. Every line of a head that find_head_end found
/// ends in LF; one that ends otherwise than `facts` say is refused here, a bare CR by the tables.
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

/// The same refusal, at the line that was taken last.
inline BadHead at_line(BadHead bad, const Facts& facts) {
  bad.line = facts.lines;
  return bad;
}

/// take_line() found another end than the head's lines have.
BadHead bad_line_ending(const Facts& facts);

/// A head that turns out bad must not show what the one before it held.
void forget(Head& head);

/// "HTTP/1.x" at the end of a request line or the start of a status line.
std::optional<BadHead> parse_version(std::string_view text, int& minor);

/// Takes field lines off `data` up to and with the empty one.
std::optional<BadHead> parse_fields(std::string_view& data, const HeadLimits& limits, Head& head,
                                    Facts& facts);

/// What holds for both kinds of message once their fields are read: Connection, and framing that
/// contradicts itself (RFC 9112 6.1). Sets head.keep_alive.
std::optional<BadHead> finish_fields(Head& head, Facts& facts);

}  // namespace onceproxy::http
