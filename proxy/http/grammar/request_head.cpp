#include <arpa/inet.h>

#include <algorithm>

#include "policies/percent.hpp"
#include "proxy/http/grammar/characters.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/grammar/head_fields.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;

/// reg-name, which IPv4 addresses are too.
bool valid_name(std::string_view name) {
  if (name.empty() || !all_of(name, host_chars)) return false;
  for (std::size_t at = name.find('%'); at != std::string_view::npos; at = name.find('%', at + 1)) {
    if (policies::percent_byte(name.substr(at)) < 0) return false;
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
    return bad("target", "The request target contains a character that is not allowed there.");
  }
  if (head.method == "TRACE") return bad("method", "TRACE is not allowed.", 405);
  if (head.method == "CONNECT") return bad("method", "CONNECT is not supported.", 501);
  if (head.target[0] != '/' && !(head.target == "*" && head.method == "OPTIONS")) {
    if (auto error = read_absolute_form(head, authority)) return error;
  }
  const std::size_t question = head.target.find('?');
  head.path = head.target.substr(0, question);
  head.query =
      question == std::string_view::npos ? std::string_view() : head.target.substr(question + 1);
  return std::nullopt;
}

void forget(RequestHead& head) {
  forget(static_cast<Head&>(head));
  head.method = head.target = head.path = head.query = head.host = head.traceparent = {};
  head.request_id = head.forwarded_for = head.forwarded_proto = head.forwarded_host = -1;
  head.expects_continue = false;
}

/// Finds the fields that only requests have, and checks Host (RFC 9112 3.2).
std::optional<BadHead> read_request_fields(RequestHead& head, std::string_view authority) {
  bool has_host = false;
  bool has_traceparent = false;
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
      case Known::traceparent:
        head.traceparent = has_traceparent ? std::string_view() : value;
        has_traceparent = true;
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

std::optional<BadHead> parse_request_head(std::string_view data, const HeadLimits& limits,
                                          RequestHead& head) {
  forget(head);
  head.size = data.size();
  std::string_view line;
  Facts facts;
  if (!take_line(data, line, facts)) return at_line(bad_line_ending(facts), facts);
  std::string_view authority;
  if (auto error = parse_request_line(line, head, authority)) return error;
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

BadHead oversized_head(std::string_view data) {
  if (data.find('\n') == std::string_view::npos) {
    return bad("target-too-long", "The request line is larger than limits.head_bytes allows.", 414);
  }
  return bad("head-too-large", "The head is larger than limits.head_bytes allows.", 431);
}

}  // namespace onceproxy::http
