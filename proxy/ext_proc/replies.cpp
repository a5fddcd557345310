#include "proxy/ext_proc/replies.hpp"

#include <algorithm>
#include <vector>

#include "policies/ascii.hpp"
#include "proxy/gate/head_lines.hpp"

namespace onceproxy::ext_proc {

namespace {

std::string lower_case(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = policies::ascii_lower(c);
  return out;
}

void append_option(HeaderMutation& changes, std::string_view name, std::string_view value,
                   bool append) {
  HeaderValueOption& option = *changes.add_set_headers();
  option.mutable_header()->set_key(lower_case(name));
  option.mutable_header()->set_raw_value(std::string(value));
  // Different versions of Envoy use one or the other.
  option.mutable_append()->set_value(append);
  option.set_append_action(append ? HeaderValueOption::APPEND_IF_EXISTS_OR_ADD
                                  : HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
}

/// "forwarded", "forwarded;shadow=replayed".
std::string decision_text(const gate::Decided& decided) {
  std::string text(name(decided.decision));
  if (decided.shadow) text.append(";shadow=").append(name(*decided.shadow));
  return text;
}

/// Whether Envoy refuses, and counts, changes of this field.
bool envoys_own(std::string_view name) {
  return name.starts_with("x-envoy-") || name == "host" || name == "content-length";
}

}  // namespace

void let_go_on(const ProcessingRequest& heard, ProcessingResponse& reply) {
  using Kind = ProcessingRequest::RequestCase;
  switch (heard.request_case()) {
    case Kind::kRequestHeaders:
      reply.mutable_request_headers()->mutable_response();
      break;
    case Kind::kResponseHeaders:
      reply.mutable_response_headers()->mutable_response();
      break;
    case Kind::kRequestBody:
      reply.mutable_request_body()->mutable_response();
      break;
    case Kind::kResponseBody:
      reply.mutable_response_body()->mutable_response();
      break;
    case Kind::kRequestTrailers:
      reply.mutable_request_trailers();
      break;
    case Kind::kResponseTrailers:
      reply.mutable_response_trailers();
      break;
    case Kind::REQUEST_NOT_SET:
      break;
  }
}

HeaderMutation& changes_of(ProcessingResponse& reply) {
  using Kind = ProcessingResponse::ResponseCase;
  switch (reply.response_case()) {
    case Kind::kRequestBody:
      return *reply.mutable_request_body()->mutable_response()->mutable_header_mutation();
    case Kind::kResponseHeaders:
      return *reply.mutable_response_headers()->mutable_response()->mutable_header_mutation();
    case Kind::kResponseBody:
      return *reply.mutable_response_body()->mutable_response()->mutable_header_mutation();
    case Kind::kRequestTrailers:
      return *reply.mutable_request_trailers()->mutable_header_mutation();
    case Kind::kResponseTrailers:
      return *reply.mutable_response_trailers()->mutable_header_mutation();
    default:
      return *reply.mutable_request_headers()->mutable_response()->mutable_header_mutation();
  }
}

void ask_for_everything(ProcessingResponse& reply) {
  ProcessingMode& mode = *reply.mutable_mode_override();
  mode.set_request_header_mode(ProcessingMode::SEND);
  mode.set_request_body_mode(ProcessingMode::BUFFERED);
  mode.set_request_trailer_mode(ProcessingMode::SEND);
  mode.set_response_header_mode(ProcessingMode::SEND);
  mode.set_response_body_mode(ProcessingMode::STREAMED);
  mode.set_response_trailer_mode(ProcessingMode::SEND);
}

void set_field(HeaderMutation& changes, std::string_view name, std::string_view value) {
  append_option(changes, name, value, false);
}

void add_field(HeaderMutation& changes, std::string_view name, std::string_view value) {
  append_option(changes, name, value, true);
}

void remove_field(HeaderMutation& changes, std::string_view name) {
  *changes.add_remove_headers() = lower_case(name);
}

void drop_ours(const http::Head& head, ProcessingResponse& reply) {
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.known[i] == http::Known::ours) remove_field(changes_of(reply), head.fields[i].name);
  }
}

void decorate(ProcessingResponse& reply, const gate::Decided& decided,
              std::string_view request_id) {
  set_field(changes_of(reply), "onceproxy-decision", decision_text(decided));
  set_field(changes_of(reply), "x-request-id", request_id);
}

void answer_at_once(const gate::Answer& answer, std::string_view request_id,
                    const std::optional<gate::Decided>& decided, std::string_view details,
                    ProcessingResponse& reply) {
  ImmediateResponse& out = *reply.mutable_immediate_response();
  out.mutable_status()->set_code(answer.status);
  out.set_body(answer.body);
  out.set_details(std::string(details));
  HeaderMutation& changes = *out.mutable_headers();
  std::vector<std::string> seen;
  gate::for_each_line(answer.head, [&](const policies::Field& field, std::string_view) {
    std::string name = lower_case(field.name);
    if (envoys_own(name)) return;
    // Envoy starts with its own fields (Content-Type); the first field of a name replaces them.
    const bool again = std::ranges::find(seen, name) != seen.end();
    append_option(changes, name, field.value, again);
    if (!again) seen.push_back(std::move(name));
  });
  if (!request_id.empty()) set_field(changes, "x-request-id", request_id);
  if (decided) set_field(changes, "onceproxy-decision", decision_text(*decided));
}

}  // namespace onceproxy::ext_proc
