#include "proxy/admin/delivery_arguments.hpp"

#include <charconv>

#include "proxy/admin/audit_arguments.hpp"

namespace onceproxy::admin {
namespace {

using store::DeliveryState;

constexpr std::size_t limit_max = 1'000;

/// One state, or a word for several: `undelivered` is all that is not notified.
std::optional<std::string> add_states(std::string_view text, DeliveryQuery& query) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word == "undelivered") {
      for (const auto state : {DeliveryState::pending, DeliveryState::failed, DeliveryState::dead,
                               DeliveryState::cancelled, DeliveryState::removed}) {
        query.filter.states.push_back(state);
      }
    } else if (word == "held") {
      query.held = true;
      query.filter.states.push_back(DeliveryState::failed);
    } else if (const auto state = store::delivery_state(word)) {
      query.filter.states.push_back(*state);
    } else {
      return "state: expected pending, failed, held, notified, dead, cancelled, removed or "
             "undelivered, several with commas";
    }
  }
  return std::nullopt;
}

std::optional<std::string> read_moment(const std::string& name, const std::string& value,
                                       store::WallTime now, std::optional<store::WallTime>& out) {
  out = parse_moment(value, now);
  if (out) return std::nullopt;
  return name + ": expected an age such as 5m, seconds since 1970, or a time in UTC";
}

std::optional<std::string> read_argument(const std::string& name, const std::string& value,
                                         store::WallTime now, DeliveryQuery& query) {
  if (name == "event") {
    query.filter.event = store::Fingerprint::from_hex(value);
    if (!query.filter.event) return "event: expected a fingerprint, 64 hexadecimal digits";
  } else if (name == "listener") {
    query.filter.listener = value;
  } else if (name == "policy") {
    query.filter.policy = value;
  } else if (name == "state") {
    return add_states(value, query);
  } else if (name == "since") {
    return read_moment(name, value, now, query.filter.since);
  } else if (name == "until") {
    return read_moment(name, value, now, query.filter.until);
  } else if (name == "limit") {
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, query.limit);
    if (error != std::errc() || stop != end || query.limit < 1 || query.limit > limit_max) {
      return "limit: expected a whole number from 1 to " + std::to_string(limit_max);
    }
  } else if (name == "cursor") {
    query.after = parse_delivery_key(value);
    if (!query.after) return "cursor: expected the `next` of the page before";
  } else {
    return name +
           ": unknown; event, listener, policy, state, since, until, limit and cursor are "
           "known";
  }
  return std::nullopt;
}

}  // namespace

tl::expected<DeliveryQuery, std::string> parse_delivery_query(
    const std::multimap<std::string, std::string>& arguments, store::WallTime now) {
  DeliveryQuery query;
  for (const auto& [name, value] : arguments) {
    if (arguments.count(name) > 1) return tl::unexpected(name + ": given twice");
    if (auto error = read_argument(name, value, now, query)) {
      return tl::unexpected(*std::move(error));
    }
  }
  return query;
}

std::optional<store::DeliveryKey> parse_delivery_key(std::string_view text) {
  store::DeliveryKey key;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), key.event);
  if (error != std::errc() || stop == text.data() + text.size() || *stop != '/') {
    return std::nullopt;
  }
  key.listener = text.substr(static_cast<std::size_t>(stop - text.data()) + 1);
  if (key.listener.empty() || key.listener.size() > store::listener_bytes_max) return std::nullopt;
  return key;
}

std::string text_of(const store::DeliveryKey& key) {
  return std::to_string(key.event) + "/" + key.listener;
}

}  // namespace onceproxy::admin
