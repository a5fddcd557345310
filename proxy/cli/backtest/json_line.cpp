#include "proxy/cli/backtest/json_line.hpp"

#include <memory>

#include "policies/canonical.hpp"
#include "policies/decode.hpp"
#include "proxy/cli/backtest/json_fields.hpp"

namespace onceproxy::backtest {
namespace {

using Read = tl::expected<void, std::string>;

Read fail(const char* why) {
  return tl::unexpected(std::string(why));
}

Read read_head(const JsonObject& line, LoggedRequest& out) {
  const auto time = line.text("time");
  if (!time) return fail("it has no \"time\"");
  const auto moment = parse_moment(*time);
  if (!moment) return fail("its \"time\" is neither RFC 3339 nor seconds since 1970");
  out.time = *moment;

  const auto method = line.string("method");
  if (!method || method->empty()) return fail("it has no \"method\"");
  out.method = *method;

  const auto target = line.string("target");
  const auto url = target ? target : line.string("url");
  if (!url) return fail("it has neither \"target\" nor \"url\"");
  out.target = target_of(*url);
  if (out.target.empty()) return fail("its \"target\" is neither a path nor a URL");

  const auto headers = line.find("headers");
  if (headers && !read_headers(line.tree(), *headers, out.headers)) {
    return fail("its \"headers\" are neither an object nor a list of names and values");
  }
  return {};
}

Read read_body(const JsonObject& line, LoggedRequest& out) {
  if (const auto body = line.find("body")) {
    if (line.tree().kind(*body) == JsonTree::Kind::string) {
      out.body = line.tree().text(*body);
    } else {
      policies::append_canonical(line.tree(), *body, policies::Selector{}, out.body);
    }
    return {};
  }
  const auto encoded = line.find("body_base64");
  if (!encoded) {
    out.body_left_out = line.number("body_bytes").value_or(0) > 0;
    return {};
  }
  const auto text = line.string("body_base64");
  if (!text) return fail("its \"body_base64\" is not text");
  auto bytes = policies::decode_base64(*text);
  if (!bytes) return fail("its \"body_base64\" is not valid base64");
  out.body = *std::move(bytes);
  out.body_is_decoded = false;
  return {};
}

Read read_answer(const JsonObject& line, LoggedRequest& out) {
  if (line.find("status")) {
    const auto status = line.number("status");
    const bool possible = status && (*status == 0 || (*status >= 100 && *status <= 599));
    if (!possible) return fail("its \"status\" is neither 0 nor between 100 and 599");
    out.status = static_cast<int>(*status);
  }
  if (const auto sent = line.find("sent")) {
    out.sent = line.tree().kind(*sent) != JsonTree::Kind::boolean_false;
  }
  if (line.find("duration_ms")) {
    const auto duration = line.number("duration_ms");
    if (!duration || *duration < 0) return fail("its \"duration_ms\" is not a number of 0 or more");
    out.duration = duration_of(*duration);
  }
  if (const auto bytes = line.number("response_bytes"); bytes && *bytes >= 0) {
    out.response_bytes = static_cast<std::uint64_t>(*bytes);
  }
  return {};
}

}  // namespace

tl::expected<LoggedRequest, std::string> read_json_line(std::string_view text) {
  const std::unique_ptr<const JsonTree> tree = JsonTree::parse(text);
  if (!tree || tree->kind(0) != JsonTree::Kind::object) {
    return tl::unexpected(std::string("it is not a JSON object"));
  }
  const JsonObject line(*tree, 0);
  LoggedRequest out;
  auto read = read_head(line, out);
  if (read) read = read_body(line, out);
  if (read) read = read_answer(line, out);
  if (!read) return tl::unexpected(std::move(read.error()));
  return out;
}

}  // namespace onceproxy::backtest
