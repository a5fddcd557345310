#include "proxy/http/access_notes.hpp"

#include <algorithm>

namespace onceproxy::http {

namespace {

using gate::Decision;
using telemetry::AccessFlag;

/// An end in Envoy's words.
struct End {
  AccessFlag flag = AccessFlag::none;
  /// Empty: the decision is what there is to say.
  std::string_view code_details;
};

/// The forward ended without an answer. If nothing was sent, the words are those of Envoy's
/// connection pool.
End end_of(ForwardFault fault) {
  switch (fault) {
    case ForwardFault::unreachable:
      return {AccessFlag::connection_failure,
              "upstream_reset_before_response_started{connection_failure}"};
    case ForwardFault::connect_timeout:
      return {AccessFlag::connection_failure,
              "upstream_reset_before_response_started{connection_timeout}"};
    case ForwardFault::overflow:
      return {AccessFlag::overflow, "upstream_reset_before_response_started{overflow}"};
    case ForwardFault::timed_out:
      return {AccessFlag::request_timeout, "upstream_response_timeout"};
    case ForwardFault::broken:
      return {AccessFlag::connection_termination,
              "upstream_reset_before_response_started{connection_termination}"};
    case ForwardFault::malformed:
      return {AccessFlag::protocol_error, "upstream_reset_before_response_started{protocol_error}"};
    case ForwardFault::none:
      break;
  }
  return {};
}

/// The service's answer had begun to reach the client.
End end_of_answer(ForwardFault fault) {
  switch (fault) {
    case ForwardFault::none:
      return {AccessFlag::none, "via_upstream"};
    case ForwardFault::broken:
      return {AccessFlag::connection_termination,
              "upstream_reset_after_response_started{connection_termination}"};
    case ForwardFault::malformed:
      return {AccessFlag::protocol_error, "upstream_reset_after_response_started{protocol_error}"};
    default:
      return end_of(fault);
  }
}

End end_here(const telemetry::AccessRecord& record, ForwardFault fault) {
  switch (record.decision) {
    case Decision::upstream_error:
    case Decision::busy:
      return end_of(fault);
    case Decision::rate_limited:
      return {AccessFlag::rate_limited, "request_rate_limited"};
    case Decision::bad_request:
      // A request that is too slow, too large or of a kind that is not taken breaks no rule.
      if (record.status == 408 || record.status == 413 || record.status == 405) return {};
      return {AccessFlag::client_protocol_error, {}};
    default:
      return {};
  }
}

}  // namespace

void AccessNotes::keep_answer_head(std::string_view written) {
  if (!format_.wants_answer_head()) return;
  constexpr std::string_view head_end = "\r\n\r\n";
  const std::size_t end = written.find(head_end);
  answer_head_ = written.substr(0, end == std::string_view::npos ? end : end + head_end.size());
}

telemetry::AccessDetails AccessNotes::details(const telemetry::AccessRecord& record,
                                              const ForwardRecord& forward) const {
  telemetry::AccessDetails details;
  details.request = this;
  details.answer_head = answer_head_;
  if (!head_.method.empty()) details.protocol = head_.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  details.target = head_.target;
  details.client_port = client_.port();
  details.upstream_host = forward.host;
  details.forwarded = forward.sent();
  End end = answered_here ? end_here(record, forward.fault) : end_of_answer(forward.fault);
  if (client_left) {
    end.flag = AccessFlag::client_left;
    // The decision is more informative than the fact that the client had left.
    if (!answered_here) end.code_details = "downstream_remote_disconnect";
  }
  details.flag = end.flag;
  details.code_details = end.code_details;
  return details;
}

std::optional<std::string_view> AccessNotes::find(std::string_view name) const {
  const auto known = [](std::string_view value) {
    return value.empty() ? std::nullopt : std::optional(value);
  };
  if (name == ":method") return known(head_.method);
  if (name == ":path") return known(head_.target);
  if (name == ":authority") return known(head_.host);
  if (name == ":scheme") return client_.secure() ? "https" : "http";
  const auto field = std::ranges::find_if(head_.fields, [&](const Field& each) {
    return std::ranges::equal(each.name, name, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  });
  if (field == head_.fields.end()) return std::nullopt;
  return field->value;
}

}  // namespace onceproxy::http
