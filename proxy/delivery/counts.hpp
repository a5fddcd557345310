// Counts: what the metrics show of a listener beside what the ledger knows of it.
// Thread-safe: written by the engine's loop, read by scrapes.
#pragma once

#include <atomic>
#include <cstdint>

#include "proxy/delivery/circuit.hpp"

namespace onceproxy::delivery {

struct Counts {
  /// Attempts, by how they ended.
  std::atomic<std::uint64_t> notified = 0;
  std::atomic<std::uint64_t> failed = 0;
  std::atomic<std::uint64_t> dead = 0;
  /// Attempts that this process began, and whose end it could not note before it ended.
  std::atomic<std::uint64_t> unrecorded = 0;
  std::atomic<std::uint64_t> in_flight = 0;
  /// To the listener itself, idle ones too; up to a tick old.
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<Circuit::State> circuit = Circuit::State::closed;
  std::atomic<std::uint64_t> circuit_opened = 0;
  /// Of the configuration in force.
  std::atomic<bool> configured = false;
};

}  // namespace onceproxy::delivery
