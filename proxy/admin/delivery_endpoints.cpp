#include "proxy/admin/delivery_endpoints.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "proxy/admin/changed_word.hpp"
#include "proxy/admin/delivery_arguments.hpp"
#include "proxy/admin/members.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/telemetry/json.hpp"
#include "store/blocking_loop.hpp"

namespace onceproxy::admin {
namespace {

using store::Changed;
using store::DeliveryKey;
using store::DeliveryState;
using store::DeliveryView;
using store::EventView;
using store::Fingerprint;
using store::Ledger;
using store::Redriven;
using telemetry::JsonArray;
using telemetry::JsonObject;

/// More occurrences of one operation than anybody looks through.
constexpr std::size_t events_max = 100;

struct Endpoints {
  Ledger& ledger;
  const store::Clock& clock;
  DeliveryHooks hooks;
};

JsonObject json_of(const DeliveryView& delivery) {
  JsonObject object;
  add_text(object, "delivery", text_of(delivery.key));
  add_text(object, "event", delivery.fingerprint.hex());
  add_text(object, "listener", delivery.key.listener);
  add_text(object, "policy", delivery.policy);
  add_text(object, "state", store::name(delivery.state));
  object["held"] = delivery.held;
  add_time(object, "created", delivery.created);
  object["attempts"] = delivery.attempts;
  if (delivery.last_attempt) add_time(object, "last_attempt", *delivery.last_attempt);
  if (delivery.due && !delivery.held) add_time(object, "due", *delivery.due);
  if (delivery.ended) add_time(object, "ended", *delivery.ended);
  if (delivery.status != 0) object["status"] = delivery.status;
  add_text(object, "error", delivery.error);
  return object;
}

JsonObject json_of(const EventView& event) {
  JsonObject object;
  add_text(object, "event", event.fingerprint.hex());
  object["number"] = event.number;
  add_text(object, "policy", event.policy);
  add_text(object, "method", event.method);
  add_text(object, "target", event.target);
  if (!event.entity_type.empty()) {
    add_text(object, "entity", event.entity_type + "/" + event.entity_id);
  }
  add_text(object, "request_id", event.request_id);
  add_time(object, "created", event.created);
  if (event.ended) add_time(object, "ended", *event.ended);
  object["payload_bytes"] = event.payload_bytes;
  object["payload_kept"] = event.payload_kept;
  JsonArray deliveries;
  for (const DeliveryView& delivery : event.deliveries) deliveries.push_back(json_of(delivery));
  object["deliveries"] = std::move(deliveries);
  return object;
}

Response unreadable(const store::Unreadable& why) {
  return refusal(503, "the store cannot be read: " + why.why);
}

Response list(const Endpoints& endpoints, const Request& request) {
  const auto asked = parse_delivery_query(request.query, endpoints.clock.now());
  if (!asked) return refusal(400, asked.error());
  const auto found = endpoints.ledger.deliveries(asked->filter, asked->after, asked->limit);
  if (const auto* why = std::get_if<store::Unreadable>(&found)) return unreadable(*why);
  const auto& page = std::get<store::DeliveryPage>(found);
  JsonArray items;
  for (const DeliveryView& delivery : page.items) {
    if (!asked->held || delivery.held) items.push_back(json_of(delivery));
  }
  JsonObject body({{"items", std::move(items)}});
  if (page.next) body["next"] = text_of(*page.next);
  return json(200, body);
}

Response show(const Endpoints& endpoints, const Request& request) {
  const auto fingerprint = Fingerprint::from_hex(request.captures.find("event")->second);
  if (!fingerprint) return refusal(400, "an event is a fingerprint, 64 hexadecimal digits");
  const auto found = endpoints.ledger.events(*fingerprint, events_max);
  if (const auto* why = std::get_if<store::Unreadable>(&found)) return unreadable(*why);
  const auto& events = std::get<std::vector<EventView>>(found);
  if (events.empty()) return refusal(404, "no event of that fingerprint");
  JsonArray items;
  for (const EventView& event : events) items.push_back(json_of(event));
  return json(200, JsonObject({{"items", std::move(items)}}));
}

Redriven redrive(const Endpoints& endpoints, const DeliveryKey& key) {
  store::BlockingLoop loop;
  store::Call<Redriven> call(loop);
  if (!endpoints.ledger.redrive(key, call)) loop.wait();
  return *call.result;
}

Changed drop(const Endpoints& endpoints, const DeliveryKey& key) {
  store::BlockingLoop loop;
  store::Call<Changed> call(loop);
  if (!endpoints.ledger.drop(key, "dropped by an operator", call)) loop.wait();
  const Changed changed = *call.result;
  if (changed == Changed::done) endpoints.hooks.looked_past(key);
  return changed;
}

std::string_view word(Redriven result) {
  switch (result) {
    case Redriven::done:
      return "done";
    case Redriven::absent:
      return "absent";
    case Redriven::conflict:
      return "conflict";
    case Redriven::closed:
      return "closed";
    case Redriven::stale:
      return "stale";
    case Redriven::failed:
      break;
  }
  return "failed";
}

std::string_view word(Changed result) {
  return changed_word(result);
}

Response answer(Redriven result) {
  switch (result) {
    case Redriven::done:
      return json(200, JsonObject({{"status", "done"}}));
    case Redriven::absent:
      return refusal(404, "no such delivery, or its payload is no longer stored");
    case Redriven::conflict:
      return refusal(
          409,
          "only a dead or held delivery can be redriven, and not while an attempt is under "
          "way");
    case Redriven::closed:
      return refusal(409, "its entity is closed, and its policy says unless_closed");
    case Redriven::stale:
      return refusal(409, "its entity has completed a higher sequence in the meantime");
    case Redriven::failed:
      break;
  }
  return refusal(503, "the store cannot confirm the change; check whether it happened");
}

Response answer(Changed result) {
  switch (result) {
    case Changed::done:
      return json(200, JsonObject({{"status", "done"}}));
    case Changed::absent:
      return refusal(404, "no such delivery");
    case Changed::conflict:
      return refusal(409, "it has already ended, or an attempt is under way");
    case Changed::failed:
      break;
  }
  return refusal(503, "the store cannot confirm the change; check whether it happened");
}

template <typename Act>
Response act_on_one(const Endpoints& endpoints, const Request& request, std::string_view name,
                    Act act) {
  const auto key = parse_delivery_key(request.captures.find("number")->second + "/" +
                                      request.captures.find("listener")->second);
  if (!key) return refusal(400, "a delivery is given by the number of its event and its listener");
  const auto result = act(endpoints, *key);
  endpoints.hooks.acted(name, text_of(*key), word(result));
  return answer(result);
}

/// A page of dead letters, or of what is held, each by itself.
template <typename Act, typename Result>
Response act_on_many(const Endpoints& endpoints, const Request& request, std::string_view name,
                     Act act, Result done) {
  auto asked = parse_delivery_query(request.query, endpoints.clock.now());
  if (!asked) return refusal(400, asked.error());
  if (asked->filter.states.empty()) asked->filter.states = {DeliveryState::dead};
  const bool dead = asked->filter.states == std::vector{DeliveryState::dead};
  if (!dead && !asked->held)
    return refusal(400, "state: only dead and held deliveries can be changed");
  const auto found = endpoints.ledger.deliveries(asked->filter, asked->after, asked->limit);
  if (const auto* why = std::get_if<store::Unreadable>(&found)) return unreadable(*why);
  const auto& page = std::get<store::DeliveryPage>(found);
  std::size_t changed = 0;
  JsonArray refused;
  for (const DeliveryView& delivery : page.items) {
    if (asked->held && !delivery.held) continue;
    const auto result = act(endpoints, delivery.key);
    changed += result == done ? 1 : 0;
    if (result == done) continue;
    refused.push_back(JsonObject{{"delivery", text_of(delivery.key)}, {"why", word(result)}});
  }
  endpoints.hooks.acted(
      name, asked->filter.listener.value_or("all listeners"),
      std::to_string(changed) + " done, " + std::to_string(refused.size()) + " refused");
  JsonObject body{{"done", changed}, {"refused", std::move(refused)}};
  if (page.next) body["next"] = text_of(*page.next);
  return json(200, body);
}

}  // namespace

void add_delivery_endpoints(Server& server, store::Ledger& ledger, const store::Clock& clock,
                            DeliveryHooks hooks) {
  const auto endpoints =
      std::make_shared<const Endpoints>(Endpoints{ledger, clock, std::move(hooks)});
  server.add("GET", "/deliveries",
             "?event=&listener=&policy=&state=&since=&until=&limit=&cursor=: deliveries, page by "
             "page",
             [endpoints](const Request& request) { return list(*endpoints, request); });
  server.add("GET", "/deliveries/{event}", "the events of one fingerprint, with all deliveries",
             [endpoints](const Request& request) { return show(*endpoints, request); });
  server.add("POST", "/deliveries/redrive",
             "?listener=&policy=&event=&since=&until=&state=&limit=&cursor=: deliver dead letters "
             "again, a page of them",
             [endpoints](const Request& request) {
               return act_on_many(*endpoints, request, "redrive", redrive, Redriven::done);
             });
  server.add("POST", "/deliveries/drop", "drop dead letters, a page of them",
             [endpoints](const Request& request) {
               return act_on_many(*endpoints, request, "drop", drop, Changed::done);
             });
  server.add("POST", "/deliveries/{number}/{listener}/redrive",
             "deliver a dead or held delivery again", [endpoints](const Request& request) {
               return act_on_one(*endpoints, request, "redrive", redrive);
             });
  server.add("POST", "/deliveries/{number}/{listener}/drop", "drop a pending or dead delivery",
             [endpoints](const Request& request) {
               return act_on_one(*endpoints, request, "drop", drop);
             });
}

}  // namespace onceproxy::admin
