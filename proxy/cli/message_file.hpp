// Raw HTTP messages in files, as `explain` takes them: a request, or a service's answer. A message
// in a file was written by hand as often as not, so an editor's line ends are taken for CR LF in
// the head, and a body needs no length. Nothing else is forgiven. Pure; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/settings.hpp"
#include "policies/request_view.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::cli {

/// Why a message is none: the status that a client would get, and what is wrong.
struct Refused {
  int status;
  std::string detail;
};

std::string with_line_ends(const std::string& text);

/// The body, its chunks undone, of a message with `rest` behind its head.
tl::expected<std::string, Refused> body_of(const http::Framing& framing, std::string_view rest,
                                           const config::LimitSettings& limits);

/// A service's answer. `fields` point into `text`.
struct AnswerMessage {
  std::unique_ptr<const std::string> text;
  int status = 0;
  std::vector<policies::Field> fields;
  std::string body;
};

/// The error says what is wrong with it.
tl::expected<AnswerMessage, std::string> read_answer(const std::string& text,
                                                     const config::Settings& settings);

}  // namespace onceproxy::cli
