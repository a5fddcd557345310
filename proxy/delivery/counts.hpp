// Counts: the figures of one listener for the metrics that the ledger does not have. Thread-safe:
// written by the engine's loop, read by scrapes.
#pragma once

#include <atomic>
#include <cstdint>

#include "proxy/delivery/circuit.hpp"

namespace onceproxy::delivery {

struct Counts {
  /// Attempts, counted by their result.
  std::atomic<std::uint64_t> notified = 0;
  std::atomic<std::uint64_t> failed = 0;
  std::atomic<std::uint64_t> dead = 0;
  /// Attempts whose result this process could not write to the ledger.
  std::atomic<std::uint64_t> unrecorded = 0;
  std::atomic<std::uint64_t> in_flight = 0;
  /// Connections to the listener, including idle ones; updated at each tick.
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<Circuit::State> circuit = Circuit::State::closed;
  std::atomic<std::uint64_t> circuit_opened = 0;
  /// Whether the active configuration names the listener.
  std::atomic<bool> configured = false;
};

}  // namespace onceproxy::delivery
