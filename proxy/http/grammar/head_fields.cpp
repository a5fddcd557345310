#include "proxy/http/grammar/head_fields.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/http/grammar/characters.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Fields for all recipients: Connection must not have them removed on the way. Least of
/// all Transfer-Encoding: a body whose framing was dropped is read as the next message.
bool protected_field(std::string_view name) {
  static constexpr std::string_view names[] = {
      "host",   "transfer-encoding", "authorization", "cookie",      "forwarded",
      "expect", "idempotency-key",   "date",          "x-request-id"};
  static constexpr std::string_view prefixes[] = {"content-", "x-forwarded-", "onceproxy-",
                                                  "x-envoy-"};
  const auto is = [&](std::string_view other) { return equals_ignoring_case(name, other); };
  const auto begins = [&](std::string_view prefix) {
    return name.size() >= prefix.size() &&
           equals_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  return std::ranges::any_of(names, is) || std::ranges::any_of(prefixes, begins);
}

/// A list whose members are all the same, spelled alike, becomes the first of them.
bool take_equal_members(std::string_view& value) {
  const std::string_view first = trim(value.substr(0, value.find(',')));
  for (std::string_view rest = value;;) {
    const std::size_t comma = rest.find(',');
    if (trim(rest.substr(0, comma)) != first) return false;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  value = first;
  return true;
}

std::optional<BadHead> read_length(std::string_view value, Facts& facts) {
  if (facts.length) return bad("content-length", "Content-Length is repeated.");
  std::uint64_t length = 0;
  // 18 digits cannot overflow; bodies are smaller than an exabyte.
  if (value.size() > 18 || !digits_only(value)) {
    return bad("content-length", "Content-Length is not one decimal number.");
  }
  std::from_chars(value.data(), value.data() + value.size(), length);
  facts.length = length;
  facts.length_digits = value;
  return std::nullopt;
}

/// The same if one length may be said several times. What says it again is dropped.
std::optional<BadHead> read_lengths(std::string_view& value, Known& known, Head& head,
                                    Facts& facts) {
  const std::string_view written = value;
  if (!take_equal_members(value)) {
    return bad("content-length", "Content-Length is a list of different values.");
  }
  head.tidy &= value == written;
  if (!facts.length) return read_length(value, facts);
  if (value != facts.length_digits) {
    return bad("content-length", "Content-Length is repeated with another value.");
  }
  known = Known::hop_by_hop;
  return std::nullopt;
}

std::optional<BadHead> read_transfer_encoding(std::string_view value, Facts& facts) {
  if (facts.transfer_encoding) return bad("transfer-encoding", "Transfer-Encoding is repeated.");
  facts.transfer_encoding = true;
  facts.chunked = equals_ignoring_case(value, "chunked");
  if (!facts.chunked) {
    return bad("transfer-encoding", "The only transfer coding that is accepted is one chunked.");
  }
  return std::nullopt;
}

/// The same if the coding that is none may be named. It goes no further.
std::optional<BadHead> read_lenient_transfer_encoding(std::string_view value, Known& known,
                                                      Facts& facts) {
  if (facts.transfer_encoding || facts.identity || !equals_ignoring_case(value, "identity")) {
    if (facts.identity) return bad("transfer-encoding", "Transfer-Encoding is repeated.");
    return read_transfer_encoding(value, facts);
  }
  facts.identity = true;
  known = Known::hop_by_hop;
  return std::nullopt;
}

/// Calls `each` with every member of a comma-separated list.
template <typename Each>
void for_each_member(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view member = trim(list.substr(0, comma));
    if (!member.empty()) each(member);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

/// Reads the Connection fields: persistence, and which other fields go no further.
std::optional<BadHead> read_connection(Head& head, Facts& facts) {
  std::optional<BadHead> error;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.known[i] != Known::connection) continue;
    for_each_member(head.fields[i].value, [&](std::string_view option) {
      if (equals_ignoring_case(option, "close")) {
        facts.close = true;
      } else if (equals_ignoring_case(option, "keep-alive")) {
        facts.keep_alive = true;
      } else if (protected_field(option)) {
        error = bad("connection", "Connection names an end-to-end field.");
      } else {
        if (!head.has_named) head.named_by_connection.assign(head.fields.size(), false);
        head.has_named = true;
        for (std::size_t j = 0; j < head.fields.size(); ++j) {
          if (equals_ignoring_case(head.fields[j].name, option)) head.named_by_connection[j] = true;
        }
      }
    });
  }
  return error;
}

}  // namespace

void forget(Head& head) {
  head.fields.clear();
  head.known.clear();
  head.has_named = false;
  head.upgrade = head.date = -1;
  head.minor_version = 1;
  head.framing = {};
  head.keep_alive = false;
  head.tidy = true;
}

BadHead bad_line_ending(const Facts& facts) {
  if (facts.bare_lf) {
    return bad("line-ending", "A line ends in CR LF, and those before it in LF alone.");
  }
  return bad("line-ending", "A line does not end in CR LF.");
}

std::optional<BadHead> parse_version(std::string_view text, int& minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !policies::is_digit(text[5]) ||
      text[6] != '.' || !policies::is_digit(text[7])) {
    return bad("version", "The HTTP version is missing or malformed.");
  }
  if (text[5] != '1' || text[7] > '1') {
    return bad("version", "Only HTTP/1.0 and HTTP/1.1 are spoken here.", 505);
  }
  minor = text[7] - '0';
  return std::nullopt;
}

std::optional<BadHead> parse_fields(std::string_view& data, const HeadLimits& limits, Head& head,
                                    Facts& facts) {
  const auto first = [&](int& index) {
    if (index < 0) index = static_cast<int>(head.fields.size());
  };
  // Most heads have fewer.
  constexpr std::size_t usual_fields = 16;
  head.fields.reserve(usual_fields);
  head.known.reserve(usual_fields);
  while (true) {
    std::string_view line;
    if (!take_line(data, line, facts)) return at_line(bad_line_ending(facts), facts);
    if (line.empty()) return std::nullopt;
    if (head.fields.size() == limits.fields) {
      return at_line(bad("too-many-fields", "The head has too many fields.", 431), facts);
    }
    std::size_t colon = 0;
    while (colon < line.size() && token_chars[static_cast<unsigned char>(line[colon])]) ++colon;
    if (colon == 0 || colon == line.size() || line[colon] != ':') {
      return at_line(bad("field-name", "A field name is not a token followed by a colon."), facts);
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view raw = line.substr(colon + 1);
    if (!all_value_chars(raw)) {
      return at_line(bad("field-value", "A field value holds a control character."), facts);
    }
    std::string_view value = trim(raw);
    Known known = known_field(name);
    std::optional<BadHead> error;
    switch (known) {
      case Known::content_length:
        error =
            limits.lenient ? read_lengths(value, known, head, facts) : read_length(value, facts);
        break;
      case Known::transfer_encoding:
        error = limits.lenient ? read_lenient_transfer_encoding(value, known, facts)
                               : read_transfer_encoding(value, facts);
        break;
      case Known::connection:
        facts.any_connection = true;
        break;
      case Known::upgrade:
        first(head.upgrade);
        break;
      case Known::date:
        first(head.date);
        break;
      default:
        break;
    }
    if (error) return at_line(*error, facts);
    head.fields.push_back({name, value});
    head.known.push_back(known);
  }
}

std::optional<BadHead> finish_fields(Head& head, Facts& facts) {
  if (facts.any_connection) {
    if (auto error = read_connection(head, facts)) return error;
  }
  if (facts.transfer_encoding && facts.length) {
    return bad("framing", "Both Content-Length and Transfer-Encoding are given.");
  }
  if (facts.transfer_encoding && head.minor_version == 0) {
    return bad("transfer-encoding", "HTTP/1.0 has no transfer codings.");
  }
  head.keep_alive = head.minor_version == 0 ? facts.keep_alive && !facts.close : !facts.close;
  // Where a body ends whose coding is called identity is read in two ways if there is a length too
  // (RFC 2616 4.4, RFC 9112 6.3); what follows must not be taken for an answer.
  if (facts.identity) head.keep_alive = false;
  if (facts.bare_lf) head.tidy = false;
  return std::nullopt;
}

std::size_t find_head_end(std::string_view data, std::size_t from) {
  std::size_t at = from < 3 ? 0 : from - 3;
  while (true) {
    const std::size_t found = data.find('\n', at);
    if (found == std::string_view::npos) return 0;
    // Bare LF counts here so that the validator sees, and refuses, a head that uses it.
    if (data.size() > found + 1 && data[found + 1] == '\n') return found + 2;
    if (data.size() > found + 2 && data[found + 1] == '\r' && data[found + 2] == '\n') {
      return found + 3;
    }
    at = found + 1;
  }
}

}  // namespace onceproxy::http
