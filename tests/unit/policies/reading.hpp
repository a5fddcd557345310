// Reads one field of a request, and tells in a word what was found.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "policies/fields.hpp"
#include "request.hpp"

namespace onceproxy::policies::test {

/// The value as its type's letter, a colon and its text; "missing", "unreadable" or
/// "bad key" where there is none.
inline std::string read(const Selector& selector, Request request, const Match& match = {},
                        Reading reading = Reading::digest) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  std::string out = "before";
  const auto type = append_field(selector, Subject{match, view, body, 0, reading}, out);
  REQUIRE(out.substr(0, 6) == "before");
  if (type) return std::string(1, static_cast<char>(*type)) + ":" + out.substr(6);
  CHECK(out == "before");
  if (type.error().kind == SelectError::Kind::unreadable) return "unreadable";
  return type.error().kind == SelectError::Kind::missing ? "missing" : "bad key";
}

inline Request body(std::string text) {
  Request request;
  request.body = std::move(text);
  return request;
}

inline Request target(std::string text) {
  Request request;
  request.target = std::move(text);
  return request;
}

inline Request headers(decltype(Request::headers) fields) {
  Request request;
  request.headers = std::move(fields);
  return request;
}

inline Selector with(Selector selector, void (*change)(Selector&)) {
  change(selector);
  return selector;
}

inline std::string read_body(const char* pointer, std::string text) {
  return read(selector(Source::body, pointer), body(std::move(text)));
}

inline const std::string two_parts =
    "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    "--X\r\nContent-Disposition: form-data; name=b; filename=c\r\n\r\n2\r\n--X--\r\n";

inline Request typed(std::string type, std::string text) {
  Request request = headers({{"Content-Type", std::move(type)}});
  request.body = std::move(text);
  return request;
}

}  // namespace onceproxy::policies::test
