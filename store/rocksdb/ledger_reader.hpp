// LedgerReader: the reads of the ledger: pages of pending deliveries, events with their payloads,
// and the lists for operators. It changes nothing. Thread-safe. It runs on the caller's thread,
// which waits for the disk if a block is not cached.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/ledger.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/event_rows.hpp"
#include "store/rocksdb/ledger_counts.hpp"

namespace onceproxy::store {

class LedgerReader {
 public:
  /// The references outlive this object. `look_max`: the maximum number of deliveries that are read
  /// for one page.
  LedgerReader(const Database& database, LedgerCounts& counts, std::size_t look_max)
      : database_(database), counts_(counts), look_max_(look_max) {}

  std::variant<PendingPage, Unreadable> pending(std::string_view listener, EventNumber after,
                                                std::size_t limit) const;
  std::variant<std::shared_ptr<const Event>, Unreadable> event(EventNumber number) const;
  std::variant<std::vector<EventView>, Unreadable> events(const Fingerprint& fingerprint,
                                                          std::size_t limit) const;
  std::variant<DeliveryPage, Unreadable> deliveries(const DeliveryFilter& filter,
                                                    const std::optional<DeliveryKey>& after,
                                                    std::size_t limit) const;
  LedgerFigures figures() const;

  // Single rows. Nothing if the row does not exist.
  template <typename Row>
  using Read = std::variant<std::optional<Row>, Unreadable>;
  Read<EventRow> event_row(EventNumber event) const;
  Read<DeliveryRow> delivery_row(const DeliveryKey& key) const;
  Read<PendingRow> pending_row(const DeliveryKey& key) const;

 private:
  using Keys = std::vector<DeliveryKey>;

  template <typename Row, typename Decode>
  Read<Row> read(const std::string& key, const Decode& decode) const;
  std::optional<Unreadable> numbers_of(const Fingerprint& fingerprint, std::size_t limit,
                                       std::vector<EventNumber>& out) const;
  std::optional<Unreadable> keys_of(const std::string& prefix, std::string_view listener,
                                    const std::optional<DeliveryKey>& after, std::size_t limit,
                                    Keys& out) const;
  std::variant<std::optional<EventView>, Unreadable> view(EventNumber event) const;
  std::variant<EventNumber, Unreadable> first_since(WallTime since) const;
  std::variant<DeliveryPage, Unreadable> by_event(const DeliveryFilter& filter,
                                                  const std::optional<DeliveryKey>& after,
                                                  std::size_t limit) const;
  std::variant<DeliveryPage, Unreadable> by_index(const DeliveryFilter& filter,
                                                  const std::optional<DeliveryKey>& after,
                                                  std::size_t limit) const;
  std::variant<DeliveryPage, Unreadable> by_walk(const DeliveryFilter& filter,
                                                 const std::optional<DeliveryKey>& after,
                                                 std::size_t limit) const;

  const Database& database_;
  LedgerCounts& counts_;
  const std::size_t look_max_;
};

}  // namespace onceproxy::store
