#include "config/delivery_reader.hpp"

#include <string_view>
#include <utility>

#include "config/listener_reader.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Acknowledge;
using policies::Backoff;
using policies::DeliveryRules;
using policies::Listener;
using policies::ListenerList;
using policies::RemovedListeners;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

struct First {
  std::uint32_t count = 0;
};

Kind<Acknowledge> acknowledge() {
  using When = Acknowledge::When;
  const Kind<When> words = word<When>({{"stored", When::stored}, {"all", When::all}});
  const Kind<First> first = section<First>(
      {"acknowledge",
       {key<First>("first", &First::count, as<std::uint32_t>(integer(1, 1'024)),
                   "The number of deliveries that must have succeeded.", Need::required)}});
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
  Backoff backoff;
  RemovedListeners removed_listeners = RemovedListeners::remove;
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
  for (const char* const name : {"attempts", "backoff"}) {
    const auto of_upstream = node.get(name);
    if (!of_upstream || to) continue;
    of_upstream->problem("belongs to `to: upstream`; a listener has `" + std::string(name) +
                         "` of its own");
  }
  const auto removed = node.get("removed_listeners");
  if (removed && to) removed->problem("belongs to listeners: the upstream is never removed");
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
    upstream.backoff = draft.backoff;
    draft.listeners = {std::move(upstream)};
  }
  rules->listeners = std::make_shared<const ListenerList>(std::move(draft.listeners));
  rules->listeners_file = std::move(draft.listeners_file);
  rules->acknowledge = draft.acknowledge;
  rules->acknowledge.timeout = draft.acknowledge_timeout;
  rules->removed_listeners = draft.removed_listeners;
  rules->dead_letter = draft.dead_letter;
  if (draft.signing) rules->signing_key_file = std::move(draft.signing->key_file);
  return rules;
}

}  // namespace

Kind<std::shared_ptr<const DeliveryRules>> delivery() {
  using D = Draft;
  const Kind<D> draft = section<D>(
      {"delivery",
       {key<D>("listeners", &D::listeners, listener_list(),
               "The listeners that get each event, independently of each other."),
        key<D>("listeners_file", &D::listeners_file, text("a file", not_a_file),
               "A file with this list, which is read again when it changes."),
        key<D>("acknowledge", &D::acknowledge, acknowledge(),
               "When the client gets its 202. stored: when the event is durable. all: when each "
               "delivery has succeeded or ended. {first: n}: when n deliveries have succeeded."),
        key<D>("acknowledge_timeout", &D::acknowledge_timeout, timeout(),
               "With all and first: how long the client waits at most. It is then acknowledged, "
               "and the deliveries continue."),
        key<D>(
            "to", &D::to_upstream, word<bool>({{"upstream", true}}),
            "Instead of listeners: the upstream, with retries. `outcome` defines what its answers "
            "mean."),
        key<D>("attempts", &D::attempts, attempts(),
               "With to: upstream: the number of attempts after which the delivery becomes a dead "
               "letter."),
        key<D>("backoff", &D::backoff, backoff(),
               "With to: upstream. The pauses between attempts."),
        key<D>("removed_listeners", &D::removed_listeners,
               word<RemovedListeners>(
                   {{"remove", RemovedListeners::remove}, {"finish", RemovedListeners::finish}}),
               "What becomes of the deliveries that are pending for a listener when it is taken "
               "out of the list, or the policy is removed or renamed. remove: they end as REMOVED. "
               "finish: they are delivered as the listener was configured last."),
        key<D>(
            "dead_letter", &D::dead_letter, flag(),
            "Whether a delivery whose attempts have all failed is kept for dead_letters.retention, "
            "so that it can be redriven. false: it is kept as long as the window."),
        key<D>(
            "signing", &D::signing,
            section<Signing>(
                {"delivery.signing",
                 {key<Signing>("key_file", &Signing::key_file, text("a file", not_a_file),
                               "A file with the key, as the Standard Webhooks specification "
                               "writes it: whsec_ and base64.",
                               Need::required)}}),
            "Events have a webhook-signature, by which a listener can verify the sender. Left out: "
            "they have none.")}},
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
  return section<E>(
      {"delivery at the top level",
       {key<E>("max_bytes", &E::bytes_max, as<std::uint64_t>(size(mib, tib)),
               "Maximum size of the heads and bodies of all events that are not delivered "
               "everywhere yet, or are dead letters; with store.postgres the events of all "
               "instances count. Above it new events get 503.")},
       {},
       {},
       "max_bytes"});
}

}  // namespace onceproxy::config
