#include "proxy/http/characters.hpp"
#include "proxy/http/head.hpp"
#include "proxy/http/head_fields.hpp"

namespace onceproxy::http {

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
      (line.size() > 12 && line[12] != ' ')) {
    return bad("status-line", "The status line is malformed.");
  }
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  // RFC 9110 15: 100 to 599. What is beyond means nothing that could be relied on.
  if (head.status < 100 || head.status > 599) {
    return bad("status-line", "The status is not within 100 to 599.");
  }
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

}  // namespace onceproxy::http
