// BodySoFar: how much of the body has been read when a request is forwarded without a reservation.
// Plain values.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "proxy/http/body_reader.hpp"

namespace onceproxy::http {

/// Neither the head was removed from the client's buffer, nor any part of the body read.
struct BodyUnread {};

/// The whole body, decoded. The view is valid until the request is answered.
struct BodyWhole {
  std::string_view bytes;
};

/// The beginning of the body, decoded; `rest` continues reading from the client's buffer.
struct BodyBegun {
  std::string bytes;
  BodyReader rest;
};

using BodySoFar = std::variant<BodyUnread, BodyWhole, BodyBegun>;

}  // namespace onceproxy::http
