#include "proxy/cli/backtest/har_entry.hpp"

#include <algorithm>
#include <memory>

#include "policies/decode.hpp"
#include "policies/percent.hpp"
#include "policies/request_view.hpp"
#include "proxy/cli/backtest/json_fields.hpp"

namespace onceproxy::backtest {
namespace {

using Read = tl::expected<void, std::string>;

Read fail(const char* why) {
  return tl::unexpected(std::string(why));
}

Read read_head(const JsonObject& entry, const JsonObject& request, LoggedRequest& out) {
  const auto time = entry.string("startedDateTime");
  const auto moment = time ? parse_moment(*time) : std::nullopt;
  if (!moment) return fail("its \"startedDateTime\" is not a time");
  out.time = *moment;
  const auto method = request.string("method");
  if (!method || method->empty()) return fail("its request has no \"method\"");
  out.method = *method;
  const auto url = request.string("url");
  out.target = url ? target_of(*url) : "";
  if (out.target.empty()) return fail("its request's \"url\" is not a URL");
  const auto headers = request.find("headers");
  if (headers && !read_headers(request.tree(), *headers, out.headers)) {
    return fail("its request's \"headers\" are not a list of names and values");
  }
  return {};
}

/// As application/x-www-form-urlencoded has it (WHATWG URL, section 5.2).
void append_form_text(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '*' || (policies::is_unreserved(c) && c != '~')) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      policies::append_percent(c, out);
    }
  }
}

/// A form that the recorder took apart, put together again.
std::string form_of(const JsonTree& tree, JsonTree::Index params) {
  std::string out;
  if (tree.kind(params) != JsonTree::Kind::array) return out;
  for (const JsonTree::Index item : tree.children(params)) {
    if (tree.kind(item) != JsonTree::Kind::object) continue;
    const JsonObject param(tree, item);
    if (!out.empty()) out += '&';
    append_form_text(param.string("name").value_or(""), out);
    out += '=';
    append_form_text(param.text("value").value_or(""), out);
  }
  return out;
}

bool has_header(const LoggedRequest& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    return policies::equals_ignoring_case(header.first, name);
  });
}

Read read_body(const JsonObject& request, LoggedRequest& out) {
  const auto post = request.object("postData");
  if (!post) return {};
  const auto type = post->string("mimeType");
  if (type && !type->empty() && !has_header(out, "content-type")) {
    out.headers.emplace_back("content-type", *type);
  }
  const auto text = post->string("text");
  if (!text || text->empty()) {
    const auto params = post->find("params");
    const bool form = type && type->starts_with("application/x-www-form-urlencoded");
    if (params && form) out.body = form_of(request.tree(), *params);
    return {};
  }
  // HAR 1.2 knows no encoded request bodies; recorders that write them say so as for answers.
  if (post->string("encoding") != "base64") {
    out.body = *text;
    return {};
  }
  auto bytes = policies::decode_base64(*text);
  if (!bytes) return fail("its request's body is not valid base64");
  out.body = *std::move(bytes);
  out.body_is_decoded = false;
  return {};
}

void read_answer(const JsonObject& entry, LoggedRequest& out) {
  const auto response = entry.object("response");
  const auto status = response ? response->number("status") : std::nullopt;
  // Recorders write 0 or -1 where no answer came.
  const bool answered = status && *status >= 100 && *status <= 599;
  out.status = answered ? static_cast<int>(*status) : 0;
  if (const auto duration = entry.number("time")) out.duration = duration_of(*duration);
  const auto content = response ? response->object("content") : std::nullopt;
  const auto size = content ? content->number("size") : std::nullopt;
  if (size && *size >= 0) out.response_bytes = static_cast<std::uint64_t>(*size);
}

}  // namespace

tl::expected<LoggedRequest, std::string> read_har_entry(std::string_view text) {
  const std::unique_ptr<const JsonTree> tree = JsonTree::parse(text);
  if (!tree || tree->kind(0) != JsonTree::Kind::object) {
    return tl::unexpected(std::string("it is not a JSON object"));
  }
  const JsonObject entry(*tree, 0);
  const auto request = entry.object("request");
  if (!request) return tl::unexpected(std::string("it has no \"request\""));
  LoggedRequest out;
  auto read = read_head(entry, *request, out);
  if (read) read = read_body(*request, out);
  if (!read) return tl::unexpected(std::move(read.error()));
  read_answer(entry, out);
  return out;
}

}  // namespace onceproxy::backtest
