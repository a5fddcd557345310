// Heads to test with: parsed from text that they keep alive, as a connection's buffer does.
#pragma once

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http::testing {

struct Request {
  std::string text;
  RequestHead head;
  std::optional<BadHead> bad;

  explicit Request(std::string bytes, const HeadLimits& limits = {})
      : text(std::move(bytes)), bad(parse_request_head(text, limits, head)) {}
};

struct Response {
  std::string text;
  ResponseHead head;
  std::optional<BadHead> bad;

  explicit Response(std::string bytes, std::string_view to_method = "GET",
                    const HeadLimits& limits = {})
      : text(std::move(bytes)), bad(parse_response_head(text, limits, to_method, head)) {}
};

/// A request for /, its Host and then `fields`.
inline std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

/// A request with that first line and a Host.
inline std::string line(std::string_view first) {
  return std::string(first) + "\r\nHost: h\r\n\r\n";
}

/// An answer of 200 with `fields`.
inline std::string ok(std::string_view fields) {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
}

/// What the caller wants to read in place of control characters when a test fails.
inline std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7F) {
      out += c;
    } else {
      out += "<" + std::to_string(static_cast<unsigned char>(c)) + ">";
    }
  }
  return out;
}

struct Refused {
  std::string text;
  std::string_view reason;
  int status = 400;
};

inline void check_refused(const Refused& refused) {
  INFO(shown(refused.text));
  const Request request(refused.text);
  REQUIRE(request.bad);
  CHECK(request.bad->status == refused.status);
  CHECK(request.bad->reason == refused.reason);
  CHECK_FALSE(request.bad->detail.empty());
}

inline void check_taken(const std::string& text) {
  INFO(shown(text));
  const Request request(text);
  if (request.bad) INFO(request.bad->detail);
  CHECK_FALSE(request.bad);
}

}  // namespace onceproxy::http::testing
