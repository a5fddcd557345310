#include <algorithm>
#include <charconv>

#include "proxy/http/grammar/characters.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/grammar/head_fields.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;

constexpr std::string_view white_space = " \t";

/// The parameter `timeout` in a Keep-Alive field's value; nothing if it is not a number of
/// seconds.
std::optional<std::chrono::seconds> timeout_in(std::string_view value) {
  constexpr std::string_view parameter = "timeout=";
  constexpr std::size_t digits_max = 9;
  while (!value.empty()) {
    std::string_view member = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), member.size() + 1));
    member.remove_prefix(std::min(member.size(), member.find_first_not_of(white_space)));
    member = member.substr(0, member.find_last_not_of(white_space) + 1);
    if (!equals_ignoring_case(member.substr(0, parameter.size()), parameter)) continue;
    member.remove_prefix(parameter.size());
    if (member.empty() || member.size() > digits_max || !digits_only(member)) return std::nullopt;
    long seconds = 0;
    std::from_chars(member.data(), member.data() + member.size(), seconds);
    return std::chrono::seconds(seconds);
  }
  return std::nullopt;
}

/// RFC 9110 15.5.8: without its challenge a 407 means nothing. It is the service's, not that of a
/// proxy on the way to it.
void keep_challenge(ResponseHead& head) {
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (equals_ignoring_case(head.fields[i].name, "proxy-authenticate")) {
      head.known[i] = Known::other;
    }
  }
}

bool first_line_ends_in_lf(std::string_view data) {
  const std::size_t end = data.find('\n');
  return end != std::string_view::npos && (end == 0 || data[end - 1] != '\r');
}

}  // namespace

std::optional<std::chrono::seconds> announced_keep_alive(const ResponseHead& head) {
  std::optional<std::chrono::seconds> least;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.known[i] != Known::hop_by_hop) continue;
    if (!equals_ignoring_case(head.fields[i].name, "keep-alive")) continue;
    const auto timeout = timeout_in(head.fields[i].value);
    if (timeout && (!least || *timeout < *least)) least = timeout;
  }
  return least;
}

void append_lasting_fields(const ResponseHead& head, std::vector<Field>& out) {
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    switch (head.known[i]) {
      case Known::connection:
      case Known::hop_by_hop:
      case Known::ours:
      case Known::upgrade:
      case Known::transfer_encoding:
      case Known::content_length:
      case Known::service_time:
      case Known::request_id:
        continue;
      default:
        if (!head.dropped(i)) out.push_back(head.fields[i]);
    }
  }
}

std::optional<BadHead> parse_response_head(std::string_view data, const HeadLimits& limits,
                                           std::string_view to_method, ResponseHead& head) {
  forget(head);
  head.status = 0;
  head.reason = {};
  head.size = data.size();
  std::string_view line;
  Facts facts;
  facts.bare_lf = limits.lenient && first_line_ends_in_lf(data);
  if (!take_line(data, line, facts)) return at_line(bad_line_ending(facts), facts);
  if (auto error = parse_version(line.substr(0, 8), head.minor_version)) {
    return at_line(*error, facts);
  }
  // status-line = HTTP-version SP status-code SP [reason-phrase]; the last SP is often left out.
  if (line.size() < 12 || line[8] != ' ' || !digits_only(line.substr(9, 3)) ||
      (line.size() > 12 && line[12] != ' ')) {
    return at_line(bad("status-line", "The status line is malformed."), facts);
  }
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  // RFC 9110 15: 100 to 599. What is beyond means nothing that could be relied on.
  if (head.status < 100 || head.status > 599) {
    return at_line(bad("status-line", "The status is not within 100 to 599."), facts);
  }
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!all_of(head.reason, value_chars)) {
    return at_line(bad("status-line", "The reason phrase holds a control character."), facts);
  }
  if (auto error = parse_fields(data, limits, head, facts)) return error;
  if (auto error = finish_fields(head, facts)) return error;
  if (head.status == 407) keep_challenge(head);
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

}  // namespace onceproxy::http
