// Connector: makes connections on a thread of its own, since looking up a name blocks in libpq and
// a handshake takes long, and hands them over ready for use. After a failure it tries again, later
// and later, as long as somebody wants a connection.
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

#include "store/postgres/connecting.hpp"
#include "store/postgres/counters.hpp"
#include "store/postgres/tuning.hpp"

namespace onceproxy::store {

class Connector {
 public:
  /// Called on the connector's thread with a session that is ready; must hand it on, and be quick.
  using Made = std::function<void(pq::ConnectionPtr, const Server&)>;
  /// The same with each failure.
  using Failed = std::function<void(const ConnectError&)>;

  Connector(const PostgresOptions& options, const PostgresTuning& tuning, Counters& counters,
            Failed failed);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// A connection is wanted for `owner`, who is told by `made`.
  void want(const void* owner, bool listen, Made made);
  /// `owner` wants none any more, and is told of none when this returns.
  void forget(const void* owner);
  /// Why the last attempt failed; empty where it did not.
  std::string failure() const;
  /// Ends the thread. Idempotent.
  void stop();

 private:
  struct Wish {
    const void* owner;
    bool listen;
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
  /// The one of the URL's hosts that was reached last. The thread's own.
  std::size_t first_host_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace onceproxy::store
