#include "store/rocksdb/ledger_reader.hpp"

#include <utility>

namespace onceproxy::store {
namespace {

Unreadable unreadable(const rocksdb::Status& status) {
  return {status.ToString()};
}

}  // namespace

template <typename Row, typename Decode>
LedgerReader::Read<Row> LedgerReader::read(const std::string& key, const Decode& decode) const {
  Database::Found found;
  database_.get(Family::deliveries, key, found);
  if (found.failed()) return Unreadable{found.error()};
  if (!found.present()) return std::optional<Row>();
  std::optional<Row> row = decode(found.value());
  if (!row) return Unreadable{"a row of the ledger is damaged"};
  return row;
}

LedgerReader::Read<EventRow> LedgerReader::event_row(EventNumber event) const {
  return read<EventRow>(event_key(event), decode_event_row);
}

LedgerReader::Read<DeliveryRow> LedgerReader::delivery_row(const DeliveryKey& key) const {
  return read<DeliveryRow>(delivery_key(key.event, key.listener), decode_delivery_row);
}

LedgerReader::Read<PendingRow> LedgerReader::pending_row(const DeliveryKey& key) const {
  return read<PendingRow>(pending_key(key.listener, key.event), decode_pending_row);
}

std::variant<PendingPage, Unreadable> LedgerReader::pending(std::string_view listener,
                                                            EventNumber after,
                                                            std::size_t limit) const {
  PendingPage page;
  const std::uint64_t generation = counts_.generation();
  const EventNumber first = counts_.first_pending(listener);
  const bool from_first = after == 0 || after < first;
  if (from_first) after = first == 0 ? 0 : first - 1;
  bool damaged = false;
  const std::string end = behind(pending_key(listener, 0).substr(0, listener.size() + 2));
  const auto status = database_.scan(
      Family::deliveries, pending_key(listener, after),
      [&](std::string_view key, std::string_view value) {
        page.more = page.items.size() >= limit;
        if (page.more) return false;
        const auto row = decode_pending_row(value);
        damaged = damaged || !row;
        if (row) {
          page.items.push_back({last_number(key), row->due, row->attempts, row->entity, row->held});
        }
        return true;
      },
      end);
  if (!status.ok()) return unreadable(status);
  if (damaged) return Unreadable{"a row of the ledger is damaged"};
  if (from_first && !page.items.empty()) {
    counts_.found_first(listener, page.items.front().event, generation);
  }
  return page;
}

std::variant<std::shared_ptr<const Event>, Unreadable> LedgerReader::event(
    EventNumber number) const {
  auto found_row = event_row(number);
  if (auto* const why = std::get_if<Unreadable>(&found_row)) return std::move(*why);
  auto& row = std::get<std::optional<EventRow>>(found_row);
  if (!row || !row->payload_kept) return std::shared_ptr<const Event>();
  auto event = std::make_shared<Event>();
  Database::Found found;
  database_.get(Family::events, payload_key(number), found);
  if (found.failed()) return Unreadable{found.error()};
  // It may have gone meanwhile.
  if (!found.present()) return std::shared_ptr<const Event>();
  if (!decode_payload(found.value(), event->head, event->body)) {
    return Unreadable{"the payload of an event is damaged"};
  }
  event->number = number;
  event->fingerprint = row->fingerprint;
  event->created = row->created;
  event->policy = std::move(row->policy);
  event->request_id = std::move(row->request_id);
  event->trace = std::move(row->trace);
  event->entity = row->entity;
  event->entity_type = std::move(row->entity_type);
  event->entity_id = std::move(row->entity_id);
  event->method = std::move(row->method);
  event->target = std::move(row->target);
  return std::shared_ptr<const Event>(std::move(event));
}

/// The newest first.
std::optional<Unreadable> LedgerReader::numbers_of(const Fingerprint& fingerprint,
                                                   std::size_t limit,
                                                   std::vector<EventNumber>& out) const {
  const std::string prefix = fingerprint_prefix(fingerprint);
  const auto status = database_.scan(
      Family::deliveries, prefix,
      [&](std::string_view key, std::string_view) {
        if (out.size() >= limit) return false;
        out.push_back(~last_number(key));
        return true;
      },
      behind(prefix));
  if (!status.ok()) return unreadable(status);
  return std::nullopt;
}

std::variant<std::optional<EventView>, Unreadable> LedgerReader::view(EventNumber event) const {
  auto found = event_row(event);
  if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
  auto& row = std::get<std::optional<EventRow>>(found);
  if (!row) return std::optional<EventView>();
  EventView view;
  view.number = event;
  view.fingerprint = row->fingerprint;
  view.created = row->created;
  view.ended = row->ended;
  view.policy = std::move(row->policy);
  view.request_id = std::move(row->request_id);
  view.trace = std::move(row->trace);
  view.entity_type = std::move(row->entity_type);
  view.entity_id = std::move(row->entity_id);
  view.method = std::move(row->method);
  view.target = std::move(row->target);
  view.payload_bytes = row->payload_bytes;
  view.payload_kept = row->payload_kept;
  for (std::string& listener : row->listeners) {
    DeliveryView delivery;
    delivery.key = {event, std::move(listener)};
    delivery.fingerprint = view.fingerprint;
    delivery.policy = view.policy;
    delivery.created = view.created;
    auto known = delivery_row(delivery.key);
    if (auto* const why = std::get_if<Unreadable>(&known)) return std::move(*why);
    if (auto& of = std::get<std::optional<DeliveryRow>>(known)) {
      delivery.state = of->state;
      delivery.attempts = of->attempts;
      delivery.last_attempt = of->last_attempt;
      delivery.ended = of->ended;
      delivery.status = of->status;
      delivery.error = std::move(of->error);
    }
    if (!is_ended(delivery.state)) {
      view.ended.reset();
      auto pending = pending_row(delivery.key);
      if (auto* const why = std::get_if<Unreadable>(&pending)) return std::move(*why);
      if (const auto& of = std::get<std::optional<PendingRow>>(pending)) {
        delivery.due = of->due;
        delivery.held = of->held;
      }
    }
    view.deliveries.push_back(std::move(delivery));
  }
  return std::optional(std::move(view));
}

std::variant<std::vector<EventView>, Unreadable> LedgerReader::events(
    const Fingerprint& fingerprint, std::size_t limit) const {
  std::vector<EventNumber> numbers;
  if (auto why = numbers_of(fingerprint, limit, numbers)) return std::move(*why);
  std::vector<EventView> out;
  for (const EventNumber number : numbers) {
    auto found = view(number);
    if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
    auto& event = std::get<std::optional<EventView>>(found);
    if (event) out.push_back(*std::move(event));
  }
  return out;
}

}  // namespace onceproxy::store
