#include "proxy/http/guarded_fields.hpp"

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/header_names.hpp"

namespace onceproxy::http {

namespace {

using policies::equals_ignoring_case;

constexpr char as_services_map_it(char c) {
  return c == '_' ? '-' : policies::ascii_lower(c);
}

bool same_to_services(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](char x, char y) { return as_services_map_it(x) == as_services_map_it(y); });
}

/// `name` is written with `-`.
bool guarded_always(std::string_view name) {
  constexpr std::string_view forwarded = "x-forwarded-";
  return known_field(name) != Known::other ||
         equals_ignoring_case(name.substr(0, forwarded.size()), forwarded) ||
         equals_ignoring_case(name, "content-type") ||
         equals_ignoring_case(name, "content-encoding");
}

bool has_underscore(std::string_view name) {
  return name.find('_') != std::string_view::npos;
}

bool reads(const policies::Policy& policy, std::string_view name) {
  return std::ranges::any_of(policies::header_names(policy), [&](const std::string& read) {
    return equals_ignoring_case(read, name);
  });
}

bool drops_what_is_read(const RequestHead& head, const policies::Policy& policy) {
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.dropped(i) && reads(policy, head.fields[i].name)) return true;
  }
  return false;
}

bool keeps_request_id(const RequestHead& head) {
  if (head.request_id < 0) return true;
  const std::size_t size = head.fields[static_cast<std::size_t>(head.request_id)].value.size();
  return size > 0 && size <= request_id_bytes_max &&
         std::ranges::count(head.known, Known::request_id) == 1;
}

}  // namespace

GuardedFields::GuardedFields(std::span<const policies::Policy> policies) {
  for (const policies::Policy& policy : policies) {
    for (std::string& name : policies::header_names(policy)) {
      any_underscore_ |= has_underscore(name);
      if (std::ranges::find(names_, name) == names_.end()) names_.push_back(std::move(name));
    }
  }
}

bool GuardedFields::is_twin(std::string_view name) const {
  const bool underscore = has_underscore(name);
  if (!underscore && !any_underscore_) return false;
  const auto is_it = [&](const std::string& read) { return equals_ignoring_case(read, name); };
  if (std::ranges::any_of(names_, is_it)) return false;
  if (underscore) {
    std::string with_dashes(name);
    std::ranges::replace(with_dashes, '_', '-');
    if (guarded_always(with_dashes)) return true;
  }
  return std::ranges::any_of(names_,
                             [&](const std::string& read) { return same_to_services(read, name); });
}

std::size_t GuardedFields::drop_twins(RequestHead& head) const {
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (!is_twin(head.fields[i].name)) continue;
    head.known[i] = Known::ours;
    ++dropped;
  }
  return dropped;
}

std::span<const Field> delivered_fields(const RequestHead& head, std::vector<Field>& kept) {
  if (!head.has_named) return head.fields;
  kept.clear();
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (!head.dropped(i)) kept.push_back(head.fields[i]);
  }
  return kept;
}

std::optional<BadHead> changed_on_the_way(const RequestHead& head, const policies::Policy& policy) {
  if (head.has_named && drops_what_is_read(head, policy)) {
    return BadHead{400, "connection", "Connection names a field that a policy reads."};
  }
  if (!keeps_request_id(head) && reads(policy, "x-request-id")) {
    return BadHead{400, "request-id",
                   "X-Request-Id is empty, repeated or longer than 128 bytes, so it would be "
                   "replaced, and a policy reads it."};
  }
  return std::nullopt;
}

}  // namespace onceproxy::http
