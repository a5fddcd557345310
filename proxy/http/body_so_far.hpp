// BodySoFar: how much of a request's body has been read when the request is passed on without a
// reservation. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "proxy/http/body_reader.hpp"

namespace onceproxy::http {

/// Neither the head was taken off the client's buffer, nor was anything of the body read.
struct BodyUnread {};

/// All of it, decoded. The view stays until the request is answered.
struct BodyWhole {
  std::string_view bytes;
};

/// Its beginning, decoded; `rest` reads on from the client's buffer.
struct BodyBegun {
  std::string bytes;
  BodyReader rest;
};

using BodySoFar = std::variant<BodyUnread, BodyWhole, BodyBegun>;

}  // namespace onceproxy::http
