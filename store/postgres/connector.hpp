// Connector: opens connections on a thread of its own, because libpq's name lookups block and a
// handshake takes long, and hands them over ready for use. After a failure it retries with growing
// pauses, as long as somebody wants a connection.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/postgres/connecting.hpp"
#include "store/postgres/counters.hpp"
#include "store/postgres/tuning.hpp"

namespace onceproxy::store {

class Connector {
 public:
  /// Called on the connector's thread with a session that is ready, and with those of the processes
  /// asked about that have nothing to do (idle_processes()). Must pass it on and return quickly.
  using Made = std::function<void(pq::ConnectionPtr, const Server&, const std::vector<int>& idle)>;
  /// Called in the same way after each failure.
  using Failed = std::function<void(const ConnectError&)>;

  Connector(const PostgresOptions& options, const PostgresTuning& tuning, Counters& counters,
            Failed failed);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// Asks for a connection for `owner`; `made` gets it. `silent`: the server's processes for
  /// sessions that do not answer.
  void want(const void* owner, bool listen, std::vector<int> silent, Made made);
  /// Withdraws what `owner` asked for. When this has returned, its `made` is not called any more.
  void forget(const void* owner);
  /// Why the last attempt failed; empty if it succeeded.
  std::string failure() const;
  /// Server::epoch of the last connection that was made; 0 before the first.
  std::int64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  /// Ends the thread. Idempotent.
  void stop();

 private:
  struct Wish {
    const void* owner;
    bool listen;
    std::vector<int> silent;
    Made made;
  };

  void run();
  void attempt(std::unique_lock<std::mutex>& lock);

  const PostgresOptions& options_;
  const PostgresTuning& tuning_;
  Counters& counters_;
  const Failed failed_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Wish> wishes_;
  std::string failure_;
  std::chrono::milliseconds pause_;
  /// Which of the URL's hosts was reached last. Used on the connector's thread only.
  std::size_t first_host_ = 0;
  std::atomic<std::int64_t> epoch_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace onceproxy::store
