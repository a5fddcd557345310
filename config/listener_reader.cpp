#include "config/listener_reader.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "config/tls_reader.hpp"
#include "policies/request_view.hpp"
#include "store/event.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Backoff;
using policies::Listener;
using policies::ListenerField;
using policies::ListenerList;
using policies::ListenerRate;
using policies::ListenerTls;

std::optional<std::string> wrong_listener_name(std::string_view name) {
  static constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const bool ok = !name.empty() && name.size() <= store::listener_bytes_max &&
                  name.find_first_not_of(allowed) == std::string_view::npos;
  if (!ok) return "is not a valid name: 1 to 63 of a-z, A-Z, 0-9, -, _ and .";
  if (name == policies::upstream_listener) {
    return "is what `to: upstream` is called; choose another name";
  }
  return std::nullopt;
}

Kind<std::string> listener_name() {
  Kind<std::string> kind = text("a listener's name", wrong_listener_name);
  kind.schema = [] {
    return or_variable(JsonObject({{"type", "string"}, {"pattern", "^[A-Za-z0-9._-]{1,63}$"}}));
  };
  return kind;
}

Kind<std::string> listener_path() {
  return text("a path", [](std::string_view path) -> std::optional<std::string> {
    const bool visible =
        std::ranges::all_of(path, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
    if (path.starts_with('/') && visible) return std::nullopt;
    return "is not a path: it begins with / and has neither spaces nor #";
  });
}

/// Fields that every listener gets from onceproxy.
std::optional<std::string> wrong_listener_field(std::string_view name) {
  static constexpr std::string_view own[] = {
      "host", "idempotency-key", "webhook-id", "webhook-timestamp", "expect", "webhook-signature"};
  const bool is_own = std::ranges::any_of(
      own, [&](std::string_view each) { return policies::equals_ignoring_case(name, each); });
  if (is_own) return "is written by onceproxy itself; leave it out";
  return wrong_answer_field(name);
}

/// `{header: NAME}`: the request's field of that name.
struct FromRequest {
  std::string name;
};

Kind<FromRequest> from_request() {
  return section<FromRequest>(
      {"a listener's header",
       {key<FromRequest>("header", &FromRequest::name,
                         text("a header name",
                              [](std::string_view name) -> std::optional<std::string> {
                                if (!is_token(name)) return "is not a valid header name";
                                return std::nullopt;
                              }),
                         "The request's field whose value the listener gets.", Need::required)}});
}

Kind<std::vector<ListenerField>> listener_fields() {
  const Kind<std::string> fixed = text("a header's value", wrong_field_value);
  const Kind<FromRequest> taken = from_request();
  Kind<std::vector<ListenerField>> kind;
  kind.names = taken.names;
  kind.read = [fixed, taken](const Node& node) -> std::optional<std::vector<ListenerField>> {
    if (!node.is_map()) {
      node.expected("a map from header names to values");
      return std::nullopt;
    }
    std::vector<ListenerField> out;
    for (const Node::Entry& entry : node.entries()) {
      if (const auto wrong = wrong_listener_field(entry.key)) {
        entry.key_problem(quote(entry.key) + " " + *wrong);
      }
      for (const ListenerField& other : out) {
        if (policies::equals_ignoring_case(other.name, entry.key)) {
          entry.key_problem("`" + other.name + "` and `" + entry.key + "` are one header");
        }
      }
      if (entry.value.is_map()) {
        auto from = taken.read(entry.value);
        if (from) out.push_back({entry.key, std::move(from->name), true});
      } else if (auto value = fixed.read(entry.value)) {
        out.push_back({entry.key, *std::move(value), false});
      }
    }
    return out;
  };
  kind.schema = [fixed, taken] {
    const Json value = JsonObject({{"anyOf", JsonArray({fixed.schema(), taken.schema()})}});
    return JsonObject({{"type", "object"}, {"additionalProperties", value}});
  };
  return kind;
}

Kind<ListenerRate> listener_rate() {
  return section<ListenerRate>(
      {"rate",
       {key<ListenerRate>("limit", &ListenerRate::limit, as<std::uint32_t>(integer(1, 1'000'000)),
                          "How many attempts are made within `per`; also the largest burst.",
                          Need::required),
        key<ListenerRate>("per", &ListenerRate::per, duration(1ms, 24h),
                          "The time within which `limit` attempts are made.")}});
}

Kind<ListenerTls> listener_tls() {
  const Kind<tls::ClientOptions> any =
      client_tls({"a listener's tls", "the listener", "the host of the listener's address"});
  Kind<ListenerTls> kind;
  kind.names = any.names;
  kind.schema = any.schema;
  kind.read = [any](const Node& node) -> std::optional<ListenerTls> {
    auto value = any.read(node);
    if (!value) return std::nullopt;
    return ListenerTls{std::move(value->ca), std::move(value->server_name),
                       std::move(value->certificate), std::move(value->key)};
  };
  return kind;
}

/// The name that the listener's certificate is for comes from its address.
void complete_tls(const Node& node, Listener& listener) {
  if (!listener.tls || !listener.tls->server_name.empty()) return;
  listener.tls->server_name = listener.address.host;
  const auto tls = node.get("tls");
  if (!listener.address.unix_path.empty() && tls && !tls->get("server_name")) {
    tls->problem(
        "`server_name` is missing: a unix socket has no name that a certificate could be for");
  }
}

Kind<Listener> listener() {
  using L = Listener;
  return section<L>(
      {"a listener",
       {key<L>("name", &L::name, listener_name(),
               "The name of the listener in the store, in metrics and for operators. Policies with "
               "the "
               "same name share the listener.",
               Need::required),
        key<L>("address", &L::address, address(PortZero::refused),
               "The address of the listener: host:port or unix:/path.", Need::required),
        key<L>("path", &L::path, listener_path(),
               "The path to which events are sent. Default: the path and query of the event's "
               "request."),
        key<L>(
            "headers", &L::headers, listener_fields(),
            "Fields that replace those of the request: a value, or {header: NAME} for the value of "
            "this field of the request. A listener gets Authorization and Cookie of the request "
            "only if they are named in this way."),
        key<L>("timeout", &L::timeout, timeout(),
               "How long an attempt may take, from connecting to the end of the answer."),
        key<L>("attempts", &L::attempts, attempts(),
               "The number of attempts after which the delivery becomes a dead letter."),
        key<L>("backoff", &L::backoff, backoff(), "The pauses between attempts."),
        key<L>("max_concurrency", &L::concurrency_max, integer(1, 10'000),
               "The largest number of attempts under way at once."),
        key<L>("rate", &L::rate, listener_rate(),
               "The limit of the rate of attempts (GCRA). Left out: no limit."),
        key<L>("tls", &L::tls, listener_tls(),
               "The listener is reached by HTTPS. An empty map, {}, is enough where the system's "
               "authorities issued its certificate. Left out: plain HTTP.")}},
      complete_tls);
}

}  // namespace

Kind<Backoff> backoff() {
  return section<Backoff>(
      {"backoff",
       {key<Backoff>(
            "initial", &Backoff::initial, duration(10ms, 24h),
            "The pause before the second attempt. It is doubled before each further attempt."),
        key<Backoff>("max", &Backoff::max, duration(10ms, 24h), "The longest pause."),
        key<Backoff>("jitter", &Backoff::jitter, share(),
                     "Each pause is shortened by a random part, up to this share of it.")}},
      [](const Node& node, const Backoff& backoff) {
        if (backoff.initial <= backoff.max) return;
        const auto max = node.get("max");
        (max ? *max : node).problem("max is below initial");
      });
}

Kind<std::uint32_t> attempts() {
  return as<std::uint32_t>(integer(1, 1'000));
}

Kind<ListenerList> listener_list() {
  Kind<ListenerList> kind = list("listeners", listener(), Empty::refused);
  kind.print = [](const ListenerList&) { return Json(); };
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (!value) return value;
    if (value->size() > store::event_listeners_max) {
      node.problem("at most " + std::to_string(store::event_listeners_max) + " listeners");
    }
    const std::vector<Node> nodes = node.items();
    if (nodes.size() != value->size()) return value;
    for (std::size_t i = 0; i < value->size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto name = nodes[i].get("name");
        if (!name || (*value)[i].name.empty() || (*value)[i].name != (*value)[j].name) continue;
        name->problem("the name is taken by the listener before it, [" + std::to_string(j) + "]");
        break;
      }
    }
    return value;
  };
  return kind;
}

}  // namespace onceproxy::config
