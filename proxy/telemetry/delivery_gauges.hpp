// DeliveryGauges: what is told of the deliveries when somebody scrapes. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::telemetry {

/// Of one listener.
struct ListenerGauge {
  std::string listener;
  /// The configuration in force names it.
  bool configured = false;
  /// Attempts under way.
  std::uint64_t in_flight = 0;
  /// Deliveries that have not ended, and dead letters.
  std::uint64_t pending = 0;
  std::uint64_t dead_letters = 0;
  /// How deliveries ended, since the ledger was made.
  std::uint64_t notified = 0;
  std::uint64_t dead = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t removed = 0;
  /// Attempts that failed and are tried again, since the ledger was made.
  std::uint64_t retries = 0;
  /// Since this process began: attempts that were sent and whose end could not be noted.
  std::uint64_t unrecorded = 0;
  std::uint64_t circuit_opened = 0;
  /// 0 closed, 1 half open, 2 open.
  int circuit = 0;
  /// Of the oldest event that it has not got; 0: nothing is pending.
  double oldest_pending_seconds = 0;
};

struct DeliveryGauges {
  std::vector<ListenerGauge> listeners;
  /// Events with a delivery that has not ended.
  std::uint64_t events_open = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_bytes_max = 0;
};

}  // namespace onceproxy::telemetry
