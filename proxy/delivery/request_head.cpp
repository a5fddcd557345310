#include "proxy/delivery/request_head.hpp"

#include <algorithm>
#include <array>

#include "policies/request_view.hpp"
#include "proxy/http/grammar/head.hpp"
#include "store/hex.hpp"

namespace onceproxy::delivery {

namespace {

using http::Known;
using policies::equals_ignoring_case;
using policies::Field;

/// Half of a fingerprint and the event's number together identify an event.
constexpr std::size_t id_bytes = 16;

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(
      names, [&](std::string_view each) { return equals_ignoring_case(each, name); });
}

/// Credentials of the client, which listeners do not get by default.
bool is_credential(std::string_view name) {
  static constexpr std::array<std::string_view, 3> names{"authorization", "cookie",
                                                         "proxy-authorization"};
  return is_one_of(name, names);
}

/// Fields that the delivery sets itself.
bool is_own(std::string_view name) {
  static constexpr std::array<std::string_view, 4> names{"idempotency-key", "webhook-id",
                                                         "webhook-timestamp", "webhook-signature"};
  return is_one_of(name, names);
}

bool goes_on(std::string_view name, bool to_upstream, bool traced) {
  switch (http::known_field(name)) {
    case Known::host:
    case Known::content_length:
    case Known::transfer_encoding:
    case Known::connection:
    case Known::hop_by_hop:
    case Known::upgrade:
    case Known::expect:
    case Known::request_id:
    case Known::expected_timeout:
    case Known::ours:
      return false;
    case Known::traceparent:
      return !traced;
    default:
      return to_upstream || (!is_credential(name) && !is_own(name));
  }
}

/// Removes the first line from `lines` and returns it.
Field take_line(std::string_view& lines) {
  const std::size_t end = std::min(lines.find("\r\n"), lines.size());
  const std::string_view line = lines.substr(0, end);
  lines.remove_prefix(std::min(end + 2, lines.size()));
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  while (value.starts_with(' ')) value.remove_prefix(1);
  return {line.substr(0, colon), value};
}

void append_field(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

std::string_view value_of(const store::Event& event, std::string_view name) {
  std::string_view lines = event.head;
  while (!lines.empty()) {
    const Field field = take_line(lines);
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

void append_fields(const store::Event& event, const policies::Listener& listener,
                   const HeadTerms& terms, std::string& out) {
  std::string_view lines = event.head;
  while (!lines.empty()) {
    const Field field = take_line(lines);
    const bool replaced =
        std::ranges::any_of(listener.headers, [&](const policies::ListenerField& named) {
          return equals_ignoring_case(named.name, field.name);
        });
    if (replaced || !goes_on(field.name, terms.to_upstream, !terms.traceparent.empty())) continue;
    append_field(field.name, field.value, out);
  }
  for (const policies::ListenerField& named : listener.headers) {
    const std::string_view value =
        named.from_request ? value_of(event, named.value) : std::string_view(named.value);
    if (!named.from_request || !value.empty()) append_field(named.name, value, out);
  }
}

}  // namespace

std::string webhook_id(const store::Event& event) {
  return store::hex(event.fingerprint.view().substr(0, id_bytes)) + "-" +
         std::to_string(event.number);
}

std::string delivery_key(const store::Event& event, std::string_view listener) {
  // A string as in RFC 9651. The name of a listener contains no character that needs an escape.
  return "\"" + webhook_id(event) + "." + std::string(listener) + "\"";
}

void write_delivery_head(const store::Event& event, const policies::Listener& listener,
                         const HeadTerms& terms, std::string& out) {
  out.append(event.method).append(" ");
  out.append(listener.path.empty() ? event.target : listener.path).append(" HTTP/1.1\r\n");
  const std::string_view host = value_of(event, "host");
  append_field("Host", terms.to_upstream && !host.empty() ? host : terms.authority, out);
  append_fields(event, listener, terms, out);
  append_field("Content-Length", std::to_string(event.body.size()), out);
  if (!event.request_id.empty()) append_field("x-request-id", event.request_id, out);
  if (!terms.traceparent.empty()) append_field("traceparent", terms.traceparent, out);
  append_field("Onceproxy-Fingerprint", event.fingerprint.hex(), out);
  append_field("Onceproxy-Fence", std::to_string(event.number), out);
  if (!terms.to_upstream) {
    const std::string id = webhook_id(event);
    append_field("Idempotency-Key", delivery_key(event, listener.name), out);
    append_field("webhook-id", id, out);
    append_field("webhook-timestamp", std::to_string(terms.now.count()), out);
    if (terms.keys != nullptr) {
      append_field("webhook-signature", terms.keys->sign(id, terms.now.count(), event.body), out);
    }
  }
  out += "\r\n";
}

}  // namespace onceproxy::delivery
