// DeliveryGauges: the state of the deliveries for a scrape. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::telemetry {

/// The figures of one listener.
struct ListenerGauge {
  std::string listener;
  /// Whether the active configuration names it.
  bool configured = false;
  /// Attempts under way.
  std::uint64_t in_flight = 0;
  /// The numbers of pending deliveries and dead letters.
  std::uint64_t pending = 0;
  std::uint64_t dead_letters = 0;
  /// The numbers of ended deliveries by their result, since the ledger was created. For a ledger
  /// that processes share: in this process.
  std::uint64_t notified = 0;
  std::uint64_t dead = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t removed = 0;
  /// Attempts that failed and are retried, counted in the same way.
  std::uint64_t retries = 0;
  /// Attempts of this process that were sent and whose result could not be recorded.
  std::uint64_t unrecorded = 0;
  std::uint64_t circuit_opened = 0;
  /// 0 closed, 1 half open, 2 open.
  int circuit = 0;
  /// The age of the oldest pending event; 0 if nothing is pending.
  double oldest_pending_seconds = 0;
};

struct DeliveryGauges {
  std::vector<ListenerGauge> listeners;
  /// The number of events with a pending delivery.
  std::uint64_t events_open = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_bytes_max = 0;
};

}  // namespace onceproxy::telemetry
