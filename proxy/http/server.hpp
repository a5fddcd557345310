// Server: the data port. Binds the listeners, runs the workers on their threads, and drains them.
// Thread-safety: start(), drain() and the destructor belong to one thread; the rest may be called
// from any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/worker.hpp"

namespace onceproxy::http {

/// How the upstream is reached, and its limits, for other parts that send requests to it. Valid as
/// long as the server.
struct UpstreamShare {
  UpstreamAddress& address;
  Slots& connections;
  Slots& turns;
  std::atomic<std::size_t>& waiting_bytes;
};

class Server {
 public:
  /// Binds all addresses. Throws std::system_error with a message that contains the address that
  /// cannot be bound. `workers`: at least 1. `tracer`, `capture`: nullptr: off. `acknowledger`:
  /// nullptr: no request waits for listeners. `side`: the port beside the data port.
  Server(Options options, const std::vector<ListenOptions>& listen, std::size_t workers,
         store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
         telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules,
         telemetry::Tracer* tracer = nullptr, telemetry::Capture* capture = nullptr,
         gate::Acknowledger* acknowledger = nullptr, const SideListener& side = {});
  /// Drains first, without waiting for requests under way.
  ~Server();

  /// The bound addresses, as host:port.
  const std::vector<std::string>& addresses() const { return addresses_; }
  /// The bound address of the port beside it; empty if there is none.
  const std::string& side_address() const { return side_address_; }

  /// Uses another configuration from now on. When this returns, every new request uses it; requests
  /// under way end with the old one. A worker that hangs keeps the old one longer, which is logged.
  /// Called by one thread at a time. Throws like the constructor if the upstream's address cannot
  /// be used.
  void configure(const Options& options, std::shared_ptr<const gate::Rules> rules);

  /// The current use of the upstream.
  struct UpstreamUse {
    UpstreamAddress::Place place;
    std::size_t connections;
    std::size_t connections_max;
    /// Requests that wait for a connection or a turn.
    std::size_t waiting;
    /// Requests under way, if their number is limited.
    std::size_t turns;
    std::size_t turns_max;
  };
  UpstreamUse upstream_use() const;
  UpstreamShare upstream_share() {
    return {shared_.upstream_address, shared_.upstream_slots, shared_.turns, shared_.waiting_bytes};
  }
  /// The number of open client connections.
  std::size_t clients() const { return shared_.client_slots.used(); }

  void start();
  /// Stops accepting connections and returns at once. Requests under way continue. May be called
  /// from any thread.
  void stop_listening();
  /// Whether accepting was stopped and no client connection is left.
  bool drained() const;
  /// Whether every serving worker has completed a round of its loop since then; a worker that hangs
  /// has not.
  bool alive_since(std::chrono::steady_clock::time_point since) const;
  /// Waits until drained(), at most for this time.
  bool wait_until_drained(std::chrono::milliseconds patience);
  /// Stops accepting connections and waits for requests under way, at most for `patience`. Then it
  /// aborts the rest, whose outcomes become unknown. Returns true if nothing was aborted.
  /// Idempotent.
  bool drain(std::chrono::milliseconds patience);

 private:
  void set_buffer_limits(const Options& options, const gate::Rules& rules);
  bool wait_for_workers(std::chrono::milliseconds patience);

  Shared shared_;
  /// The largest message at the port beside the data port; 0 if there is no such port.
  const std::size_t message_bytes_max_;
  std::vector<std::string> addresses_;
  std::string side_address_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::atomic<bool> stops_listening_ = false;
  /// A worker has ended, or has adopted a configuration.
  std::condition_variable changed_;
  /// Which workers run.
  std::vector<bool> serving_;
};

}  // namespace onceproxy::http
