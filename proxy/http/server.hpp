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

/// How the upstream is reached, and what bounds that, for whoever sends it more than the requests
/// of clients. Stays as long as the server.
struct UpstreamShare {
  UpstreamAddress& address;
  Slots& connections;
  Slots& turns;
  std::atomic<std::size_t>& waiting_bytes;
};

class Server {
 public:
  /// Binds every address at once; throws std::system_error with a message that names the one that
  /// cannot be had. `workers` is at least 1. No `tracer`: nothing is traced. No `capture`: nothing
  /// is captured. No `acknowledger`: listeners are not waited for. `side`: the port beside the data
  /// port.
  Server(Options options, const std::vector<ListenOptions>& listen, std::size_t workers,
         store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
         telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules,
         telemetry::Tracer* tracer = nullptr, telemetry::Capture* capture = nullptr,
         gate::Acknowledger* acknowledger = nullptr, const SideListener& side = {});
  /// Drains first, without patience.
  ~Server();

  /// host:port as bound.
  const std::vector<std::string>& addresses() const { return addresses_; }
  /// Of the port beside it, as bound; empty: there is none.
  const std::string& side_address() const { return side_address_; }

  /// Another configuration from now on: when this returns, no request that begins is served by the
  /// one before, and those under way end with it. Only a worker that hangs keeps the old one
  /// longer, which is logged. From one thread at a time; throws as the constructor does for an
  /// upstream that cannot be.
  void configure(const Options& options, std::shared_ptr<const gate::Rules> rules);

  /// The upstream as it is used now.
  struct UpstreamUse {
    UpstreamAddress::Place place;
    std::size_t connections;
    std::size_t connections_max;
    /// Requests that wait for a connection or a turn.
    std::size_t waiting;
    /// Requests under way, where their number is limited.
    std::size_t turns;
    std::size_t turns_max;
  };
  UpstreamUse upstream_use() const;
  UpstreamShare upstream_share() {
    return {shared_.upstream_address, shared_.upstream_slots, shared_.turns, shared_.waiting_bytes};
  }
  /// Connections of clients that are open.
  std::size_t clients() const { return shared_.client_slots.used(); }

  void start();
  /// Stops accepting, from any thread, and returns at once. Nothing under way is ended.
  void stop_listening();
  /// Accepting was stopped, and no connection of a client is left.
  bool drained() const;
  /// Whether every worker that serves has come by its loop since then; one that hangs has not.
  bool alive_since(std::chrono::steady_clock::time_point since) const;
  /// Waits until drained(), for so long at most.
  bool wait_until_drained(std::chrono::milliseconds patience);
  /// Stops accepting, lets what is under way end, waits no longer than `patience`, then ends the
  /// rest as unknown. True: nothing had to be ended. Idempotent.
  bool drain(std::chrono::milliseconds patience);

 private:
  void set_buffer_limits(const Options& options, const gate::Rules& rules);
  bool wait_for_workers(std::chrono::milliseconds patience);

  Shared shared_;
  std::vector<std::string> addresses_;
  std::string side_address_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::atomic<bool> stops_listening_ = false;
  /// A worker has ended, or adopted what it was given.
  std::condition_variable changed_;
  /// Which of the workers run.
  std::vector<bool> serving_;
};

}  // namespace onceproxy::http
