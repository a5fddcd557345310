#include "config/delivery_reader.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "policies/request_view.hpp"
#include "store/event.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Acknowledge;
using policies::Backoff;
using policies::DeliveryRules;
using policies::Listener;
using policies::ListenerField;
using policies::ListenerList;
using policies::ListenerRate;
using policies::Policy;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

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

Kind<Backoff> backoff() {
  return section<Backoff>(
      {"backoff",
       {key<Backoff>("initial", &Backoff::initial, duration(10ms, 24h),
                     "Before the second attempt; doubled before each further one."),
        key<Backoff>("max", &Backoff::max, duration(10ms, 24h), "No pause is longer."),
        key<Backoff>("jitter", &Backoff::jitter, share(),
                     "Up to this share of a pause is taken off it at random.")}},
      [](const Node& node, const Backoff& backoff) {
        if (backoff.initial <= backoff.max) return;
        const auto max = node.get("max");
        (max ? *max : node).problem("max is below initial");
      });
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

Kind<std::uint32_t> attempts() {
  return as<std::uint32_t>(integer(1, 1'000));
}

Kind<Listener> listener() {
  using L = Listener;
  return section<L>(
      {"a listener",
       {key<L>("name", &L::name, listener_name(),
               "Names the listener in the ledger, in metrics and for operators. One name is one "
               "listener, whichever policies name it.",
               Need::required),
        key<L>("address", &L::address, address(PortZero::refused),
               "Where the listener is: host:port or unix:/path.", Need::required),
        key<L>("path", &L::path, listener_path(),
               "Where events go. Default: the path and query of the event's request."),
        key<L>("headers", &L::headers, listener_fields(),
               "Fields that the listener gets in place of the request's: a value, or {header: "
               "NAME} for what the request has there. Authorization and Cookie of the request go "
               "to no listener that does not name them so."),
        key<L>("timeout", &L::timeout, timeout(),
               "How long an attempt may take, from connecting to the end of the answer."),
        key<L>("attempts", &L::attempts, attempts(),
               "So many attempts are made; then the delivery is a dead letter."),
        key<L>("backoff", &L::backoff, backoff(), "The pauses between attempts."),
        key<L>("max_concurrency", &L::concurrency_max, integer(1, 10'000),
               "Attempts under way at once."),
        key<L>("rate", &L::rate, listener_rate(),
               "How often attempts are made (GCRA). Left out: as often as they come.")}});
}

struct First {
  std::uint32_t count = 0;
};

Kind<Acknowledge> acknowledge() {
  using When = Acknowledge::When;
  const Kind<When> words = word<When>({{"stored", When::stored}, {"all", When::all}});
  const Kind<First> first =
      section<First>({"acknowledge",
                      {key<First>("first", &First::count, as<std::uint32_t>(integer(1, 1'024)),
                                  "So many listeners must have been notified.", Need::required)}});
  Kind<Acknowledge> kind;
  kind.names = first.names;
  kind.read = [words, first](const Node& node) -> std::optional<Acknowledge> {
    Acknowledge out;
    if (node.is_map()) {
      const auto value = first.read(node);
      if (!value) return std::nullopt;
      out.when = When::first;
      out.count = value->count;
      return out;
    }
    const auto value = words.read(node);
    if (!value) return std::nullopt;
    out.when = *value;
    return out;
  };
  kind.schema = [words, first] {
    return JsonObject({{"anyOf", JsonArray({words.schema(), first.schema()})}});
  };
  kind.print = [](const Acknowledge&) { return Json("stored"); };
  return kind;
}

struct Signing {
  std::string key_file;
};

std::optional<std::string> not_a_file(std::string_view path) {
  if (path.empty() || path.back() == '/') return "is not a file";
  return std::nullopt;
}

/// As it is written.
struct Draft {
  ListenerList listeners;
  std::string listeners_file;
  Acknowledge acknowledge;
  std::chrono::milliseconds acknowledge_timeout = Acknowledge().timeout;
  std::optional<bool> to_upstream;
  std::uint32_t attempts = Listener().attempts;
  bool dead_letter = true;
  std::optional<Signing> signing;
};

void check_where(const Node& node) {
  const auto listeners = node.get("listeners");
  const auto file = node.get("listeners_file");
  const auto to = node.get("to");
  if (!listeners && !file && !to) {
    node.problem("`listeners` is missing: write them, or listeners_file, or to: upstream");
  }
  const auto& second = to ? to : file;
  const int given = (listeners ? 1 : 0) + (file ? 1 : 0) + (to ? 1 : 0);
  if (given > 1) {
    second->problem("only one of `listeners`, `listeners_file` and `to` says where events go");
  }
  const auto attempts = node.get("attempts");
  if (attempts && !to) {
    attempts->problem("belongs to `to: upstream`; a listener has `attempts` of its own");
  }
}

void check_draft(const Node& node, const Draft& draft) {
  check_where(node);
  const auto acknowledge = node.get("acknowledge");
  const auto timeout = node.get("acknowledge_timeout");
  const bool unread = acknowledge && node.reading().has_problems_in(acknowledge->path());
  if (timeout && !unread && draft.acknowledge.when == Acknowledge::When::stored) {
    timeout->problem("has an effect only with acknowledge: all, or first; leave it out");
  }
  const auto list = node.get("listeners");
  const bool whole = list && list->items().size() == draft.listeners.size();
  const std::size_t count = draft.to_upstream ? 1 : draft.listeners.size();
  if (acknowledge && (whole || draft.to_upstream) && draft.acknowledge.count > count) {
    acknowledge->problem("there are only " + std::to_string(count) +
                         " listeners, so that many would never be notified");
  }
}

std::shared_ptr<const DeliveryRules> rules_of(Draft draft) {
  auto rules = std::make_shared<DeliveryRules>();
  rules->to_upstream = draft.to_upstream.value_or(false);
  if (rules->to_upstream) {
    Listener upstream;
    upstream.name = policies::upstream_listener;
    upstream.attempts = draft.attempts;
    draft.listeners = {std::move(upstream)};
  }
  rules->listeners = std::make_shared<const ListenerList>(std::move(draft.listeners));
  rules->listeners_file = std::move(draft.listeners_file);
  rules->acknowledge = draft.acknowledge;
  rules->acknowledge.timeout = draft.acknowledge_timeout;
  rules->dead_letter = draft.dead_letter;
  if (draft.signing) rules->signing_key_file = std::move(draft.signing->key_file);
  return rules;
}

std::string named(std::size_t index, const Policy& policy) {
  const std::string place = "policies[" + std::to_string(index) + "]";
  return policy.name.empty() ? place : place + " (" + policy.name + ")";
}

const Listener* find(const Policy& policy, const std::string& name) {
  if (policy.delivery == nullptr || policy.delivery->to_upstream) return nullptr;
  const ListenerList& all = *policy.delivery->listeners;
  const auto found = std::ranges::find(all, name, &Listener::name);
  return found == all.end() ? nullptr : &*found;
}

bool is_one(const Listener& a, const Listener& b) {
  return a.address == b.address && a.concurrency_max == b.concurrency_max && a.rate == b.rate;
}

}  // namespace

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

Kind<std::shared_ptr<const DeliveryRules>> delivery() {
  using D = Draft;
  const Kind<D> draft = section<D>(
      {"delivery",
       {key<D>("listeners", &D::listeners, listener_list(),
               "To whom each event goes, independently of each other."),
        key<D>("listeners_file", &D::listeners_file, text("a file", not_a_file),
               "A file with that list, read anew whenever it changes."),
        key<D>("acknowledge", &D::acknowledge, acknowledge(),
               "When the client gets its 202. stored: once the event is durable. all: once every "
               "listener was notified, or its delivery has ended. {first: n}: once n were."),
        key<D>("acknowledge_timeout", &D::acknowledge_timeout, timeout(),
               "With all and first: how long the client waits at most. It is acknowledged then, "
               "and the deliveries go on."),
        key<D>("to", &D::to_upstream, word<bool>({{"upstream", true}}),
               "Instead of listeners: the upstream, which is asked again until it has answered. "
               "`outcome` says what its answers mean."),
        key<D>("attempts", &D::attempts, attempts(),
               "With to: upstream. So many attempts are made; then the delivery is a dead letter."),
        key<D>("dead_letter", &D::dead_letter, flag(),
               "Whether what was given up is kept for dead_letters.retention, to be redriven. "
               "false: as long as the window."),
        key<D>("signing", &D::signing,
               section<Signing>(
                   {"delivery.signing",
                    {key<Signing>("key_file", &Signing::key_file, text("a file", not_a_file),
                                  "A file with the key, as the Standard Webhooks specification "
                                  "writes it: whsec_ and base64.",
                                  Need::required)}}),
               "Events carry webhook-signature, so that a listener knows who sent them. Left out: "
               "they do not.")}},
      check_draft);
  Kind<std::shared_ptr<const DeliveryRules>> kind;
  kind.names = draft.names;
  kind.schema = [draft] {
    Json schema = draft.schema();
    set_member(schema, "anyOf",
               JsonArray({JsonObject({{"required", JsonArray({"listeners"})}}),
                          JsonObject({{"required", JsonArray({"listeners_file"})}}),
                          JsonObject({{"required", JsonArray({"to"})}})}));
    return schema;
  };
  kind.read = [draft](const Node& node) -> std::optional<std::shared_ptr<const DeliveryRules>> {
    auto value = draft.read(node);
    if (!value) return std::nullopt;
    return rules_of(*std::move(value));
  };
  return kind;
}

void check_delivery(const Node& node, const Policy& policy) {
  if (policy.delivery == nullptr) return;
  const auto on_store_error = node.get("on_store_error");
  if (on_store_error && policy.on_store_error == policies::OnStoreError::forward) {
    on_store_error->problem(
        "forward cannot be with `delivery`: what is not stored is delivered to nobody; "
        "leave it out");
  }
}

void check_listeners(const Node& node, const std::vector<Policy>& policies) {
  const std::vector<Node> nodes = node.items();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const auto delivery = nodes[i].get("delivery");
    const auto list = delivery ? delivery->get("listeners") : std::nullopt;
    if (!list || policies[i].delivery == nullptr) continue;
    const std::vector<Node> items = list->items();
    const ListenerList& listeners = *policies[i].delivery->listeners;
    if (items.size() != listeners.size()) continue;
    for (std::size_t k = 0; k < items.size(); ++k) {
      for (std::size_t j = 0; j < i; ++j) {
        const Listener* const other = find(policies[j], listeners[k].name);
        if (other == nullptr || is_one(*other, listeners[k])) continue;
        const auto name = items[k].get("name");
        (name ? *name : items[k])
            .problem("`" + listeners[k].name + "` is another one in " + named(j, policies[j]) +
                     "; one name is one listener, with the same address, max_concurrency and "
                     "rate");
        break;
      }
    }
  }
}

Kind<DeadLetterSettings> dead_letters() {
  using D = DeadLetterSettings;
  return section<D>({"dead_letters",
                     {key<D>("retention", &D::retention, duration(1min, 24h * 366),
                             "How long a dead letter is kept after its event has ended, from 1m to "
                             "366d.")},
                     {},
                     {},
                     "retention"});
}

Kind<EventSettings> event_settings() {
  using E = EventSettings;
  return section<E>({"delivery at the top level",
                     {key<E>("max_bytes", &E::bytes_max, as<std::uint64_t>(size(mib, tib)),
                             "What the heads and bodies of events may take that are not delivered "
                             "everywhere, or are dead letters; with store.postgres those of all "
                             "instances. Above it new events get 503.")},
                     {},
                     {},
                     "max_bytes"});
}

}  // namespace onceproxy::config
