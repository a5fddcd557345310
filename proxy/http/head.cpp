#include "proxy/http/head.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "policies/ascii.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;
using Table = std::array<bool, 256>;

/// tchar (RFC 9110 5.6.2).
constexpr Table token_chars = [] {
  Table table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

/// field-vchar, space and tab (RFC 9110 5.5).
constexpr Table value_chars = [] {
  Table table{};
  for (int c = 0x20; c < 256; ++c) table[c] = c != 0x7F;
  table['\t'] = true;
  return table;
}();

/// What may stand in a request target: visible ASCII but '#' and a raw backslash.
constexpr Table target_chars = [] {
  Table table{};
  for (int c = 0x21; c < 0x7F; ++c) table[c] = c != '#' && c != '\\';
  return table;
}();

/// unreserved, sub-delims and '%' (RFC 3986 3.2.2).
constexpr Table host_chars = [] {
  Table table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("-._~!$&'()*+,;=%")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool all_of(std::string_view text, const Table& table) {
  return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool digits_only(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// reg-name, which IPv4 addresses are too.
bool valid_name(std::string_view name) {
  if (name.empty() || !all_of(name, host_chars)) return false;
  for (std::size_t at = name.find('%'); at != std::string_view::npos; at = name.find('%', at + 1)) {
    if (at + 2 >= name.size() || policies::hex_value(name[at + 1]) < 0 ||
        policies::hex_value(name[at + 2]) < 0) {
      return false;
    }
  }
  return true;
}

bool valid_ipv6(std::string_view address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.size() >= sizeof text || address.find('\0') != std::string_view::npos) return false;
  address.copy(text, address.size());
  in6_addr parsed;
  return ::inet_pton(AF_INET6, text, &parsed) == 1;
}

/// uri-host [":" port] (RFC 9110 7.2). An empty host names nothing and is refused.
bool valid_host(std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos || !valid_ipv6(host.substr(1, end - 1))) return false;
    port = host.substr(end + 1);
  } else {
    const std::size_t colon = host.find(':');
    if (!valid_name(host.substr(0, colon))) return false;
    port = colon == std::string_view::npos ? std::string_view() : host.substr(colon);
  }
  if (port.empty()) return true;
  port.remove_prefix(1);
  return host[host.size() - port.size() - 1] == ':' && port.size() <= 5 &&
         (port.empty() || digits_only(port));
}

/// Takes the next line, without its CR LF, off `data`. Every line of a head that
/// find_head_end found ends in LF; a bare one is refused here, a bare CR by the tables.
bool take_line(std::string_view& data, std::string_view& line) {
  const auto* end = static_cast<const char*>(std::memchr(data.data(), '\n', data.size()));
  if (end == nullptr) return false;
  const auto length = static_cast<std::size_t>(end - data.data());
  if (length == 0 || data[length - 1] != '\r') return false;
  line = data.substr(0, length - 1);
  data.remove_prefix(length + 1);
  return true;
}

/// Fields that are for everybody: no Connection field may have them dropped on the way. Least of
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

/// What one pass over the fields finds out about framing and persistence.
struct Facts {
  std::optional<std::uint64_t> length;
  bool transfer_encoding = false;
  bool chunked = false;
  bool close = false;
  bool keep_alive = false;
  bool any_connection = false;
};

constexpr BadHead bad(std::string_view reason, std::string_view detail, int status = 400) {
  return {status, reason, detail};
}

std::optional<BadHead> read_length(std::string_view value, Facts& facts) {
  if (facts.length) return bad("content-length", "Content-Length is repeated.");
  std::uint64_t length = 0;
  // 18 digits cannot overflow; nobody sends an exabyte.
  if (value.size() > 18 || !digits_only(value)) {
    return bad("content-length", "Content-Length is not one decimal number.");
  }
  std::from_chars(value.data(), value.data() + value.size(), length);
  facts.length = length;
  return std::nullopt;
}

std::optional<BadHead> read_transfer_encoding(std::string_view value, Facts& facts) {
  if (facts.transfer_encoding) return bad("transfer-encoding", "Transfer-Encoding is repeated.");
  facts.transfer_encoding = true;
  facts.chunked = equals_ignoring_case(value, "chunked");
  if (!facts.chunked) {
    return bad("transfer-encoding", "The only transfer coding taken is one chunked.");
  }
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
        error = bad("connection", "Connection names a field that is for every recipient.");
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

std::optional<BadHead> parse_fields(std::string_view& data, const HeadLimits& limits, Head& head,
                                    Facts& facts) {
  const auto first = [&](int& index) {
    if (index < 0) index = static_cast<int>(head.fields.size());
  };
  while (true) {
    std::string_view line;
    if (!take_line(data, line)) return bad("line-ending", "A line does not end in CR LF.");
    if (line.empty()) return std::nullopt;
    if (head.fields.size() == limits.fields) {
      return bad("too-many-fields", "The head has too many fields.", 431);
    }
    std::size_t colon = 0;
    while (colon < line.size() && token_chars[static_cast<unsigned char>(line[colon])]) ++colon;
    if (colon == 0 || colon == line.size() || line[colon] != ':') {
      return bad("field-name", "A field name is not a token followed by a colon.");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view raw = line.substr(colon + 1);
    if (!all_of(raw, value_chars)) {
      return bad("field-value", "A field value holds a control character.");
    }
    const std::string_view value = trim(raw);
    const Known known = known_field(name);
    std::optional<BadHead> error;
    switch (known) {
      case Known::content_length:
        error = read_length(value, facts);
        break;
      case Known::transfer_encoding:
        error = read_transfer_encoding(value, facts);
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
    if (error) return error;
    head.fields.push_back({name, value});
    head.known.push_back(known);
  }
}

/// What holds for both kinds of message once their fields are read.
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
  return std::nullopt;
}

/// "HTTP/1.x" at the end of a request line or the start of a status line.
std::optional<BadHead> parse_version(std::string_view text, int& minor) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || !text.starts_with("HTTP/") || !digit(text[5]) || text[6] != '.' ||
      !digit(text[7])) {
    return bad("version", "There is no HTTP version where one belongs.");
  }
  if (text[5] != '1' || text[7] > '1') {
    return bad("version", "Only HTTP/1.0 and HTTP/1.1 are spoken here.", 505);
  }
  minor = text[7] - '0';
  return std::nullopt;
}

/// RFC 9112 3.2.2: takes scheme and authority off an absolute form.
std::optional<BadHead> read_absolute_form(RequestHead& head, std::string_view& authority) {
  const std::size_t scheme_end = head.target.find("://");
  const std::string_view scheme = head.target.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos ||
      !(equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https"))) {
    return bad("target", "The request target is neither a path nor an http URI.");
  }
  const std::string_view rest = head.target.substr(scheme_end + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  authority = rest.substr(0, end);
  head.target = rest.substr(end);
  // RFC 9112 3.2.4: the last proxy makes an asterisk of an OPTIONS request for the whole server.
  if (head.target.empty()) head.target = head.method == "OPTIONS" ? "*" : "/";
  if (head.target[0] == '?') {
    return bad("target", "The request target has a query but no path.");
  }
  if (!valid_host(authority)) return bad("target", "The request target's authority is invalid.");
  return std::nullopt;
}

std::optional<BadHead> parse_request_line(std::string_view line, RequestHead& head,
                                          std::string_view& authority) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end + 1) {
    return bad("request-line", "The request line is not a method, a target and a version.");
  }
  head.method = line.substr(0, method_end);
  if (!valid_token(head.method)) return bad("method", "The method is not a token.");
  if (auto error = parse_version(line.substr(target_end + 1), head.minor_version)) return error;
  head.target = line.substr(method_end + 1, target_end - method_end - 1);
  if (!all_of(head.target, target_chars)) {
    return bad("target", "The request target holds a character that has no place in one.");
  }
  if (head.method == "TRACE") return bad("method", "TRACE is not allowed.", 405);
  if (head.method == "CONNECT") return bad("method", "CONNECT is not implemented.", 501);
  if (head.target[0] != '/' && !(head.target == "*" && head.method == "OPTIONS")) {
    if (auto error = read_absolute_form(head, authority)) return error;
  }
  const std::size_t question = head.target.find('?');
  head.path = head.target.substr(0, question);
  head.query =
      question == std::string_view::npos ? std::string_view() : head.target.substr(question + 1);
  return std::nullopt;
}

/// A head that turns out bad must not show what the one before it held.
void forget(Head& head) {
  head.fields.clear();
  head.known.clear();
  head.has_named = false;
  head.upgrade = head.date = -1;
  head.minor_version = 1;
  head.framing = {};
  head.keep_alive = false;
}

void forget(RequestHead& head) {
  forget(static_cast<Head&>(head));
  head.method = head.target = head.path = head.query = head.host = {};
  head.request_id = head.forwarded_for = head.forwarded_proto = head.forwarded_host = -1;
  head.expects_continue = false;
}

/// Finds the fields that only requests have, and checks Host (RFC 9112 3.2).
std::optional<BadHead> read_request_fields(RequestHead& head, std::string_view authority) {
  bool has_host = false;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const std::string_view value = head.fields[i].value;
    const auto first = [&](int& index) {
      if (index < 0) index = static_cast<int>(i);
    };
    switch (head.known[i]) {
      case Known::host:
        if (has_host) return bad("host", "Host is repeated.");
        has_host = true;
        head.host = value;
        break;
      case Known::expect:
        // RFC 9110 10.1.1: the only expectation there is; others may be ignored or refused, and
        // HTTP/1.0 has none.
        head.expects_continue |=
            head.minor_version == 1 && equals_ignoring_case(value, "100-continue");
        break;
      case Known::request_id:
        first(head.request_id);
        break;
      case Known::forwarded_for:
        first(head.forwarded_for);
        break;
      case Known::forwarded_proto:
        first(head.forwarded_proto);
        break;
      case Known::forwarded_host:
        first(head.forwarded_host);
        break;
      default:
        break;
    }
  }
  if (!has_host && head.minor_version == 1) return bad("host", "Host is missing.");
  if (has_host && !valid_host(head.host)) return bad("host", "Host is not a host and a port.");
  if (!authority.empty() && has_host && !equals_ignoring_case(authority, head.host)) {
    return bad("host", "Host and the request target name different authorities.");
  }
  if (!has_host) head.host = authority;
  return std::nullopt;
}

}  // namespace

bool valid_field_value(std::string_view value) {
  return all_of(value, value_chars);
}

bool valid_token(std::string_view text) {
  return !text.empty() && all_of(text, token_chars);
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

std::optional<BadHead> parse_request_head(std::string_view data, const HeadLimits& limits,
                                          RequestHead& head) {
  forget(head);
  head.size = data.size();
  std::string_view line;
  if (!take_line(data, line)) return bad("line-ending", "A line does not end in CR LF.");
  std::string_view authority;
  if (auto error = parse_request_line(line, head, authority)) return error;
  Facts facts;
  if (auto error = parse_fields(data, limits, head, facts)) return error;
  if (auto error = finish_fields(head, facts)) return error;
  if (auto error = read_request_fields(head, authority)) return error;
  if (facts.chunked) {
    head.framing.kind = Framing::Kind::chunked;
  } else if (facts.length.value_or(0) > 0) {
    head.framing = {Framing::Kind::length, *facts.length};
  }
  return std::nullopt;
}

std::optional<BadHead> parse_response_head(std::string_view data, const HeadLimits& limits,
                                           std::string_view to_method, ResponseHead& head) {
  forget(head);
  head.status = 0;
  head.reason = {};
  head.size = data.size();
  std::string_view line;
  if (!take_line(data, line)) return bad("line-ending", "A line does not end in CR LF.");
  if (auto error = parse_version(line.substr(0, 8), head.minor_version)) return error;
  // status-line = HTTP-version SP status-code SP [reason-phrase]; the last SP is often left out.
  if (line.size() < 12 || line[8] != ' ' || !digits_only(line.substr(9, 3)) ||
      (line.size() > 12 && line[12] != ' ') || line[9] == '0') {
    return bad("status-line", "The status line is malformed.");
  }
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!all_of(head.reason, value_chars)) {
    return bad("status-line", "The reason phrase holds a control character.");
  }
  Facts facts;
  if (auto error = parse_fields(data, limits, head, facts)) return error;
  if (auto error = finish_fields(head, facts)) return error;
  // RFC 9112 6.3: these have no body, whatever their fields say.
  const bool bodiless =
      to_method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304;
  if (bodiless) return std::nullopt;
  if (facts.chunked) {
    head.framing.kind = Framing::Kind::chunked;
  } else if (facts.length) {
    head.framing.kind = *facts.length > 0 ? Framing::Kind::length : Framing::Kind::none;
    head.framing.length = *facts.length;
  } else {
    head.framing.kind = Framing::Kind::until_close;
    head.keep_alive = false;
  }
  return std::nullopt;
}

BadHead oversized_head(std::string_view data) {
  if (data.find('\n') == std::string_view::npos) {
    return bad("target-too-long", "The request line is too long.", 414);
  }
  return bad("head-too-large", "The head is too large.", 431);
}

}  // namespace onceproxy::http
