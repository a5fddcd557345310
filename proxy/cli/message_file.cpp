#include "proxy/cli/message_file.hpp"

#include <utility>

#include "proxy/http/grammar/chunked.hpp"

namespace onceproxy::cli {
namespace {

tl::expected<std::string, Refused> decode_chunks(std::string_view rest,
                                                 const config::LimitSettings& limits) {
  using Kind = http::ChunkedDecoder::Step::Kind;
  http::ChunkedDecoder decoder(limits.head_bytes, limits.headers);
  std::string body;
  while (!decoder.done()) {
    const auto step = decoder.feed(rest);
    if (step.kind == Kind::error) return tl::unexpected(Refused{400, "malformed chunked body"});
    if (step.kind == Kind::more) return tl::unexpected(Refused{400, "the chunked body breaks off"});
    body += step.data;
    rest.remove_prefix(step.consumed);
  }
  return body;
}

}  // namespace

std::string with_line_ends(const std::string& text) {
  const std::size_t first_line = text.find('\n');
  if (first_line == std::string::npos || first_line == 0 || text[first_line - 1] == '\r')
    return text;
  const std::size_t empty_line = text.find("\n\n");
  const std::size_t head_end = empty_line == std::string::npos ? text.size() : empty_line + 2;
  std::string out;
  for (std::size_t i = 0; i < head_end; ++i) {
    if (text[i] == '\n') out += '\r';
    out += text[i];
  }
  return out + text.substr(head_end);
}

tl::expected<std::string, Refused> body_of(const http::Framing& framing, std::string_view rest,
                                           const config::LimitSettings& limits) {
  using Kind = http::Framing::Kind;
  if (framing.kind == Kind::chunked) return decode_chunks(rest, limits);
  // A request that was written by hand has no length; its body is everything after the head.
  if (framing.kind != Kind::length) return std::string(rest);
  if (rest.size() < framing.length) {
    return tl::unexpected(Refused{400, "the body breaks off: Content-Length is " +
                                           std::to_string(framing.length) + ", and " +
                                           std::to_string(rest.size()) + " bytes follow"});
  }
  return std::string(rest.substr(0, framing.length));
}

tl::expected<AnswerMessage, std::string> read_answer(const std::string& text,
                                                     const config::Settings& settings) {
  AnswerMessage out;
  out.text = std::make_unique<const std::string>(with_line_ends(text));
  const std::size_t end = http::find_head_end(*out.text);
  if (end == 0)
    return tl::unexpected(std::string("the head does not end: an empty line is missing"));
  http::ResponseHead head;
  const http::HeadLimits limits{settings.upstream.head_bytes_max, settings.limits.headers,
                                settings.upstream.lenient_http};
  const std::string_view all = *out.text;
  if (const auto bad = http::parse_response_head(all.substr(0, end), limits, "", head)) {
    return tl::unexpected(std::string(bad->detail));
  }
  auto body = body_of(head.framing, all.substr(end), settings.limits);
  if (!body) return tl::unexpected(std::move(body.error().detail));
  out.body = *std::move(body);
  out.status = head.status;
  http::append_lasting_fields(head, out.fields);
  return out;
}

}  // namespace onceproxy::cli
