// What a policy makes of one request, as `explain` shows it. Reads no file, touches no store. Pure;
// thread-safe as long as each thread has its own sheet and Document.
#pragma once

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/cli/sheet.hpp"

namespace onceproxy::cli {

/// The policy, what it selects, and the terms that hold for this request; last, if it cannot be
/// named, what it gets. `answer`: what it says about the operation; nullptr: none is given.
void explain_policy(Sheet& sheet, const policies::Policy& policy,
                    const policies::RequestView& request, policies::Document& body,
                    const AnswerMessage* answer = nullptr);

}  // namespace onceproxy::cli
