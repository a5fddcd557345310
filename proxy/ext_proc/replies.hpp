// Builds the replies to Envoy: the reply that matches a message, changes of heads, and immediate
// answers. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/gate/answer.hpp"
#include "proxy/gate/decision.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

/// Makes the reply that lets the message `heard` pass unchanged. Envoy accepts one reply of the
/// matching kind for each message; any other reply ends the processing.
void let_go_on(const ProcessingRequest& heard, ProcessingResponse& reply);

/// Whether this message is the end of the answer, after which Envoy sends nothing more.
bool ends_answer(const ProcessingRequest& heard);

/// The changes in `reply` (made by let_go_on()) of the head or trailers.
HeaderMutation& changes_of(ProcessingResponse& reply);

/// Requests the whole request before it is forwarded, and its whole answer.
void ask_for_everything(ProcessingResponse& reply);

/// In a reply to the head of an answer: requests that the rest of the answer is not sent. If Envoy
/// does not allow this mode, it continues to send the answer.
void ask_for_nothing_more(ProcessingResponse& reply);

// Names of fields may be in any case; Envoy uses lower case.
/// Replaces all fields of that name.
void set_field(HeaderMutation& changes, std::string_view name, std::string_view value);
/// Adds a field after those of the same name.
void add_field(HeaderMutation& changes, std::string_view name, std::string_view value);
void remove_field(HeaderMutation& changes, std::string_view name);

/// Removes the fields that only onceproxy may send, and fields that services may confuse with them.
void drop_ours(const http::Head& head, ProcessingResponse& reply);

/// Adds the fields for the client to the answer of a covered request.
void decorate(ProcessingResponse& reply, const gate::Decided& decided, std::string_view request_id);

/// Sends an immediate answer to the client, and nothing is forwarded. `details`: for Envoy's log.
/// `decided`: absent if no policy covers the request.
void answer_at_once(const gate::Answer& answer, std::string_view request_id,
                    const std::optional<gate::Decided>& decided, std::string_view details,
                    ProcessingResponse& reply);

}  // namespace onceproxy::ext_proc
