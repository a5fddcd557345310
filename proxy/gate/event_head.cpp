#include "proxy/gate/event_head.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "policies/ascii.hpp"

namespace onceproxy::gate {

namespace {

using policies::equals_ignoring_case;
using policies::Field;

constexpr std::array<std::string_view, 12> never{"connection",
                                                 "keep-alive",
                                                 "proxy-connection",
                                                 "te",
                                                 "trailer",
                                                 "upgrade",
                                                 "transfer-encoding",
                                                 "content-length",
                                                 "proxy-authorization",
                                                 "expect",
                                                 "proxy-authenticate",
                                                 "x-envoy-expected-rq-timeout-ms"};
/// Unless the service itself is the listener.
constexpr std::array<std::string_view, 3> of_the_service{"authorization", "cookie", "host"};
constexpr std::string_view own = "onceproxy-";

template <typename Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::ranges::any_of(
      names, [&](std::string_view each) { return equals_ignoring_case(name, each); });
}

/// Whether the list of names in a Connection field has this one (RFC 9110 7.6.1).
bool lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (equals_ignoring_case(policies::trimmed(list.substr(0, comma), policies::optional_space),
                             name))
      return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool is_of_connection(std::span<const Field> fields, std::string_view name) {
  return std::ranges::any_of(fields, [&](const Field& field) {
    return equals_ignoring_case(field.name, "connection") && lists(field.value, name);
  });
}

bool is_wanted(const policies::ListenerList& listeners, std::string_view name) {
  return std::ranges::any_of(listeners, [&](const policies::Listener& listener) {
    return std::ranges::any_of(listener.headers, [&](const policies::ListenerField& field) {
      return field.from_request && equals_ignoring_case(field.value, name);
    });
  });
}

}  // namespace

std::string event_head(std::span<const Field> fields, const policies::ListenerList& listeners,
                       bool to_upstream) {
  std::string head;
  for (const Field& field : fields) {
    if (is_one_of(field.name, never) || equals_ignoring_case(field.name.substr(0, own.size()), own))
      continue;
    if (!to_upstream && is_one_of(field.name, of_the_service) &&
        !is_wanted(listeners, field.name)) {
      continue;
    }
    if (is_of_connection(fields, field.name)) continue;
    head.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return head;
}

}  // namespace onceproxy::gate
