// What a policy makes of one request, as `explain` shows it: labelled lines for people, in which
// nothing that the request holds can drive a terminal. Reads no file, touches no store. Pure;
// thread-safe as long as each thread has its own stream and Document.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "proxy/cli/message_file.hpp"

namespace onceproxy::cli {

/// The text with control characters and bytes that are not UTF-8 as \x1b, cut after 200 bytes.
std::string printable(std::string_view text);

/// "label         text", and nothing after the label where there is no text.
void print_line(std::ostream& out, std::string label, std::string_view text);

/// The policy, what it selects, and the terms that hold for this request; last, where it cannot be
/// named, what it gets. `answer`: what it says about the operation; nullptr: none is given.
void print_policy(std::ostream& out, const policies::Policy& policy,
                  const policies::RequestView& request, policies::Document& body,
                  const AnswerMessage* answer = nullptr);

}  // namespace onceproxy::cli
