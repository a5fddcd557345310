// What the tests of the ledger share: events of three listeners, and the verbs made synchronous.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "store/ledger.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::testing {

/// A request that is to be delivered, with all that its views refer to.
struct EventRequest {
  explicit EventRequest(std::uint64_t number, std::vector<std::string_view> to = {"a", "b", "c"})
      : listeners(std::move(to)), request(testing::request(number)) {
    draft.method = "POST";
    draft.target = "/rides?x=1";
    draft.head = "content-type: application/json\r\n";
    draft.body = body;
    draft.listeners = listeners;
    draft.acknowledgement = {202, "content-type: text/plain\r\n", "accepted", true};
    request.event = &draft;
    request.terms.window = 60s;
  }
  EventRequest(const EventRequest&) = delete;
  EventRequest& operator=(const EventRequest&) = delete;

  EventRequest& on_entity(std::uint64_t number, bool unless_closed = false) {
    EntityTerms& entity = request.entity.emplace();
    entity.key = entity_key(number);
    entity.type = "ride";
    id = "r" + std::to_string(number);
    entity.id = id;
    entity.turn = 10s;
    entity.unless_closed = unless_closed;
    return *this;
  }

  std::string body = "{\"ride\":1}";
  std::string id;
  std::vector<std::string_view> listeners;
  EventDraft draft;
  ReserveRequest request;
};

/// The verbs of the ledger, each waited for. `Base` has a store, a loop, and the store's own verbs.
template <typename Base>
struct LedgerVerbs : Base {
  using Base::loop;
  using Base::store;

  Ledger& ledger() { return *store->ledger(); }

  /// The number of the event that must be accepted.
  EventNumber accept(const EventRequest& event) {
    ReserveResult result = this->reserve(event.request);
    const auto* const accepted = std::get_if<Accepted>(&result);
    if (accepted == nullptr) {
      throw std::runtime_error("not accepted but answer " + std::to_string(result.index()));
    }
    return accepted->event;
  }
  std::vector<EventNumber> pending(std::string_view listener, EventNumber after = 0) {
    std::vector<EventNumber> out;
    auto found = ledger().pending(listener, after, 100);
    for (const PendingDelivery& one : std::get<PendingPage>(found).items) out.push_back(one.event);
    return out;
  }
  BeginResult begin(EventNumber event, const std::string& listener) {
    Waiting<BeginResult> call(loop);
    if (ledger().begin({event, listener}, call)) return std::move(*call.result);
    return std::move(call.wait());
  }
  BeginResult begin_due(EventNumber event, const std::string& listener) {
    Waiting<BeginResult> call(loop);
    if (ledger().begin_due({event, listener}, call)) return std::move(*call.result);
    return std::move(call.wait());
  }
  Attempt attempt(EventNumber event, const std::string& listener) {
    BeginResult result = begin(event, listener);
    auto* const attempt = std::get_if<Attempt>(&result);
    if (attempt == nullptr) {
      throw std::runtime_error("not begun but answer " + std::to_string(result.index()));
    }
    return std::move(*attempt);
  }
  Settled end(Attempt attempt, const AttemptEnd& how) {
    Waiting<Settled> call(loop);
    if (ledger().end(std::move(attempt), how, call)) return *call.result;
    return call.wait();
  }
  void deliver(EventNumber event, const std::string& listener,
               DeliveryState state = DeliveryState::notified, int status = 200) {
    AttemptEnd how;
    how.state = state;
    how.status = status;
    if (end(attempt(event, listener), how) != Settled::done) throw std::runtime_error("not ended");
  }
  Redriven redrive(EventNumber event, const std::string& listener) {
    Waiting<Redriven> call(loop);
    if (ledger().redrive({event, listener}, call)) return *call.result;
    return call.wait();
  }
  Changed drop(EventNumber event, const std::string& listener) {
    Waiting<Changed> call(loop);
    if (ledger().drop({event, listener}, "dropped by an operator", call)) return *call.result;
    return call.wait();
  }
  EventView view(std::uint64_t number) {
    auto found = ledger().events(fingerprint(number), 10);
    return std::get<std::vector<EventView>>(found).at(0);
  }
  std::vector<std::string> states(std::uint64_t number) {
    std::vector<std::string> out;
    for (const DeliveryView& delivery : view(number).deliveries) {
      out.push_back(delivery.key.listener + " " + std::string(name(delivery.state)));
    }
    return out;
  }
  ListenerFigures figures(std::string_view listener) {
    for (const ListenerFigures& figures : ledger().figures().listeners) {
      if (figures.listener == listener) return figures;
    }
    return {};
  }
};

using LedgerFixture = LedgerVerbs<Fixture>;

using Words = std::vector<std::string>;
using Numbers = std::vector<EventNumber>;

inline EntityTerms ride(std::uint64_t number) {
  EntityTerms out;
  out.key = entity_key(number);
  out.type = "ride";
  out.id = "r";
  out.turn = std::chrono::seconds(10);
  return out;
}

/// A request that closes its entity when it completes.
inline ReserveRequest closing(std::uint64_t number, std::uint64_t entity) {
  ReserveRequest out = request(number);
  out.entity = ride(entity);
  out.entity->closes = std::chrono::hours(1);
  return out;
}

/// Who was told what.
struct Told final : LedgerWatch {
  Signal signal;
  std::vector<std::shared_ptr<const Event>> events;
  std::vector<DeliveryKey> again;
  void stored(std::shared_ptr<const Event> event,
              std::span<const std::string> listeners) noexcept override {
    signal.change([&] {
      if (listeners.size() == 3) events.push_back(std::move(event));
    });
  }
  void redriven(const DeliveryKey& key) noexcept override {
    signal.change([&] { again.push_back(key); });
  }
};

}  // namespace onceproxy::store::testing
