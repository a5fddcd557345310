#include "config/header_names.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

/// Fields that tell what onceproxy did; it removes them from what comes in.
bool is_own(std::string_view name) {
  static constexpr std::string_view prefix = "onceproxy-";
  return policies::equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}

constexpr std::array<std::string_view, 8> framing{"content-length",   "transfer-encoding",
                                                  "connection",       "keep-alive",
                                                  "proxy-connection", "te",
                                                  "trailer",          "upgrade"};

/// Further fields of requests that belong to the connection, or that onceproxy writes itself.
constexpr std::array<std::string_view, 5> written_anew{
    "expect", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info",
    "x-envoy-expected-rq-timeout-ms"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) {
    return policies::equals_ignoring_case(name, each);
  });
}

/// Fields whose other spellings are removed from requests (proxy/http/guarded_fields.hpp).
bool is_guarded(std::string_view name) {
  static constexpr std::string_view forwarded = "x-forwarded-";
  static constexpr std::array<std::string_view, 4> names{
      "x-request-id", "content-type", "content-encoding", "x-envoy-upstream-service-time"};
  return is_framing_field(name) || is_one_of(name, names) || is_one_of(name, written_anew) ||
         policies::equals_ignoring_case(name.substr(0, forwarded.size()), forwarded);
}

}  // namespace

bool is_token(std::string_view text) {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool is_framing_field(std::string_view name) {
  return is_one_of(name, framing);
}

std::optional<std::string> wrong_request_field(std::string_view name) {
  if (!is_token(name)) return "is not a valid header name";
  std::string with_dashes(name);
  std::replace(with_dashes.begin(), with_dashes.end(), '_', '-');
  if (is_own(with_dashes)) return "is removed from every request: clients cannot send it";
  if (with_dashes != name && is_guarded(with_dashes)) {
    return "is removed from every request: services may take it for " + with_dashes;
  }
  if (is_framing_field(name) || is_one_of(name, written_anew)) {
    return "never reaches the service unchanged, so it cannot identify an operation; select "
           "another field";
  }
  return std::nullopt;
}

std::optional<std::string> wrong_answer_field(std::string_view name) {
  if (!is_token(name)) return "is not a valid header name";
  static constexpr std::array<std::string_view, 2> with_every_answer{"idempotent-replayed",
                                                                     "x-request-id"};
  if (is_framing_field(name) || is_own(name) || is_one_of(name, with_every_answer)) {
    return "is written by onceproxy itself; leave it out";
  }
  return std::nullopt;
}

std::optional<std::string> wrong_asked_field(std::string_view name) {
  if (!is_token(name)) return "is not a valid header name";
  if (is_own(name)) return "is removed from every answer: the service cannot send it";
  if (is_framing_field(name)) {
    return "is a field of the connection, which cannot be read from an answer; select another "
           "field";
  }
  return std::nullopt;
}

std::optional<std::string> wrong_stored_field(std::string_view name) {
  if (!is_token(name)) return "is not a valid header name";
  if (is_framing_field(name))
    return "is never stored, because onceproxy writes it itself; leave it out";
  return std::nullopt;
}

std::optional<std::string> wrong_field_value(std::string_view value) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t') return "has a control character, which no header value may";
    if (byte >= 0x7f) return "is not ASCII, which a header value must be";
  }
  if (!value.empty() && (is_space(value.front()) || is_space(value.back()))) {
    return "has white space around it";
  }
  return std::nullopt;
}

}  // namespace onceproxy::config
