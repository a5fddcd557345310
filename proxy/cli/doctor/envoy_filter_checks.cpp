#include "proxy/cli/doctor/envoy_filter_checks.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <re2/re2.h>

namespace onceproxy::doctor {

namespace {

using std::chrono::milliseconds;
using telemetry::json_member;
using telemetry::json_member_text;

/// Envoy's own, where nothing is said.
constexpr milliseconds message_timeout_default{200};
/// A store that writes to a disk may take so long before it answers.
constexpr milliseconds message_timeout_min{1'000};

std::string text_of(milliseconds time) {
  return std::to_string(time.count()) + " ms";
}

struct ModeMember {
  const char* name;
  const char* needed;
};

/// What onceproxy asks for with mode_override. The mode of the request's head is not compared.
constexpr std::array needed_mode{
    ModeMember{"request_body_mode", "BUFFERED"}, ModeMember{"request_trailer_mode", "SEND"},
    ModeMember{"response_header_mode", "SEND"},  ModeMember{"response_body_mode", "STREAMED"},
    ModeMember{"response_trailer_mode", "SEND"},
};

bool is_needed_mode(const Json& mode) {
  return std::ranges::all_of(needed_mode, [&](const ModeMember& each) {
    return json_member_text(mode, each.name) == each.needed;
  });
}

void check_modes(const Json& filter, const std::string& where, Few& findings) {
  if (!is_true(json_member(filter, "allow_mode_override"))) {
    findings.warn(where,
                  "allow_mode_override is not true: onceproxy cannot ask for bodies, and does not "
                  "see the outcome",
                  "set allow_mode_override: true");
  }
  const auto allowed = items_of(json_member(filter, "allowed_override_modes"));
  if (allowed.empty()) return;
  const bool admitted =
      std::ranges::any_of(allowed, [](const Json* mode) { return is_needed_mode(*mode); });
  if (admitted) return;
  findings.warn(where, "allowed_override_modes does not admit the mode that onceproxy asks for",
                "add {request_body_mode: BUFFERED, request_trailer_mode: SEND, "
                "response_header_mode: SEND, response_body_mode: STREAMED, "
                "response_trailer_mode: SEND}, or leave the list out");
}

void check_timeouts(const Json& filter, const EnvoyNeeds& needs, const std::string& where,
                    Few& findings) {
  const milliseconds timeout =
      duration_of(json_member(filter, "message_timeout")).value_or(message_timeout_default);
  const milliseconds extended =
      duration_of(json_member(filter, "max_message_timeout")).value_or(milliseconds(0));
  if (timeout.count() > 0 && timeout < message_timeout_min) {
    findings.warn(where,
                  "message_timeout is " + text_of(timeout) +
                      ": a disk that is busy takes longer, and Envoy then refuses the request",
                  "set message_timeout: 5s");
  }
  if (timeout.count() > 0 && timeout < needs.wait && extended < needs.extension) {
    findings.warn(where,
                  "neither message_timeout nor max_message_timeout lets a request wait for " +
                      text_of(needs.wait) + ", as in_flight or entity.wait allow",
                  "set max_message_timeout to at least " + text_of(needs.extension) +
                      ", which onceproxy requests");
  }
}

void check_attributes(const Json& filter, const std::string& where, Few& findings) {
  const std::string remedy =
      "set response_attributes: [response.code_details, upstream.request_attempt_count]";
  const auto attributes = items_of(json_member(filter, "response_attributes"));
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(attributes, [&](const Json* each) {
      return each->is_string() && std::string_view(each->get_string()) == name;
    });
  };
  if (!has("response.code_details")) {
    findings.warn(where,
                  "response_attributes has no response.code_details: the service's answers cannot "
                  "be told from Envoy's own for certain",
                  remedy);
  } else if (!has("upstream.request_attempt_count")) {
    findings.warn(where,
                  "response_attributes has no upstream.request_attempt_count: no key is released "
                  "when the service cannot be reached",
                  remedy);
  }
}

/// Rules that keep fields of requests from onceproxy, or its own fields from the service.
void check_rules(const Json& filter, const std::string& where, Few& findings) {
  if (json_member(filter, "forward_rules") != nullptr) {
    findings.warn(where,
                  "forward_rules may keep fields of requests from onceproxy, which policies then "
                  "find missing",
                  "leave it out");
  }
  if (is_true(member_at(filter, {"mutation_rules", "disallow_all"}))) {
    findings.warn(where,
                  "mutation_rules.disallow_all is true: the service gets no Onceproxy-Fence, and "
                  "clients can forge one",
                  "leave it out, or allow onceproxy-* and x-request-id");
  }
  const Json* const refused = member_at(filter, {"mutation_rules", "disallow_expression"});
  if (refused == nullptr) return;
  const re2::RE2 expression(json_member_text(*refused, "regex"), re2::RE2::Quiet);
  for (const char* name : {"onceproxy-fence", "onceproxy-fingerprint", "x-request-id"}) {
    if (!re2::RE2::FullMatch(name, expression)) continue;
    findings.warn(where,
                  "mutation_rules.disallow_expression matches " + std::string(name) +
                      ": the service does not get onceproxy's field, and clients can forge it",
                  "let it match neither onceproxy-* nor x-request-id");
    return;
  }
}

/// Envoy removes x-envoy-retry-on only from requests of clients that are not internal. A
/// configuration that names no addresses makes none internal.
void check_internal_clients(const EnvoyManager& manager, Few& findings) {
  const Json* const internal = json_member(*manager.manager, "internal_address_config");
  if (internal == nullptr) return;
  const bool ranges = !items_of(json_member(*internal, "cidr_ranges")).empty();
  if (!ranges && !is_true(json_member(*internal, "unix_sockets"))) return;
  findings.warn("listener " + manager.listener,
                "internal_address_config names addresses: these clients can request retries with "
                "x-envoy-retry-on, after onceproxy's decision",
                "leave it out, or let another filter remove x-envoy-retry-on");
}

}  // namespace

void check_processing_mode(const Json* mode, const std::string& where, Few& findings) {
  if (mode == nullptr) return;
  if (json_member_text(*mode, "request_header_mode") == "SKIP") {
    findings.warn(where,
                  "processing_mode.request_header_mode is SKIP: requests bypass onceproxy, or are "
                  "refused if their bodies are sent",
                  "set request_header_mode: SEND");
  }
  // NONE is the default, which a dump leaves out.
  const std::string body = json_member_text(*mode, "request_body_mode");
  if (!body.empty() && body != "NONE" && body != "BUFFERED") {
    findings.warn(
        where,
        "processing_mode.request_body_mode is " + body + ": onceproxy refuses covered requests",
        "set request_body_mode: NONE");
  }
  const std::string answer = json_member_text(*mode, "response_body_mode");
  if (answer == "FULL_DUPLEX_STREAMED" || answer == "GRPC") {
    findings.warn(where,
                  "processing_mode.response_body_mode is " + answer +
                      ": Envoy ignores the mode that onceproxy asks for, and onceproxy refuses "
                      "covered requests",
                  "set response_body_mode: NONE");
  }
}

void check_ext_proc(const EnvoyManager& manager, const EnvoyFilter& filter, const EnvoyNeeds& needs,
                    Few& findings) {
  const Json& configuration = *filter.configuration;
  const std::string where = "listener " + manager.listener + ", filter " + filter.name;
  if (is_true(json_member(configuration, "failure_mode_allow"))) {
    findings.warn(where,
                  "failure_mode_allow is true: requests bypass onceproxy while it is not reachable",
                  "set failure_mode_allow: false");
  }
  if (is_true(json_member(configuration, "observability_mode"))) {
    findings.warn(where, "observability_mode is true: nothing is enforced",
                  "leave it out, unless every policy is in shadow mode");
  }
  if (is_true(json_member(configuration, "disable_immediate_response"))) {
    findings.warn(where, "disable_immediate_response is true: onceproxy cannot answer a duplicate",
                  "leave it out");
  }
  if (is_true(json_member(configuration, "send_body_without_waiting_for_header_response"))) {
    findings.warn(where,
                  "send_body_without_waiting_for_header_response is true: Envoy ignores the mode "
                  "that onceproxy asks for, and onceproxy refuses covered requests",
                  "leave it out");
  }
  const auto uses = [&](const EnvoyRoute& route) { return route.uses(filter); };
  if (filter.disabled && std::ranges::none_of(manager.routes, uses)) {
    findings.warn(where,
                  "disabled is true, and no route enables the filter: requests bypass onceproxy",
                  "enable the filter on every route that policies cover");
  }
  const Json* const mode = json_member(configuration, "processing_mode");
  // Policies in shadow mode need the body in pieces then.
  if (!is_true(json_member(configuration, "observability_mode"))) {
    check_processing_mode(mode, where, findings);
  }
  check_rules(configuration, where, findings);
  check_modes(configuration, where, findings);
  check_timeouts(configuration, needs, where, findings);
  check_attributes(configuration, where, findings);
  check_internal_clients(manager, findings);
  if (manager.buffer_bytes < needs.body_bytes) {
    findings.warn("listener " + manager.listener,
                  "per_connection_buffer_limit_bytes is " + std::to_string(manager.buffer_bytes) +
                      ", below limits.body_bytes (" + std::to_string(needs.body_bytes) +
                      "): Envoy answers 413 to bodies that onceproxy would accept",
                  "raise it, or lower limits.body_bytes");
  }
}

}  // namespace onceproxy::doctor
