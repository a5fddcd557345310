// Listener: accepts connections on one worker. Each worker has its own socket on the same address
// (SO_REUSEPORT), so that the kernel spreads connections and workers share no queue.
// bind_listeners() may be called from the main thread; a Listener belongs to its worker's loop.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proxy/http/deadline.hpp"
#include "proxy/http/event_loop.hpp"
#include "proxy/http/options.hpp"

namespace onceproxy::http {

class Worker;

/// Descriptors bound to one address, one a worker, and the address as it turned out (port 0).
struct BoundAddress {
  std::string text;
  std::vector<int> descriptors;
};

/// Throws std::system_error with a message that names the address: in use (by whomever: a second
/// onceproxy must not share this one's traffic unnoticed), not ours, not allowed.
BoundAddress bind_listeners(const Endpoint& endpoint, std::size_t count);

class Listener final : private Deadline, private EventLoop::Source, private EventLoop::Deferred {
 public:
  /// Owns `descriptor`, which listens.
  Listener(Worker& worker, int descriptor);
  ~Listener();

  void start();
  void stop();

 private:
  void ready(std::uint32_t) override { accept_some(); }
  void run() override { accept_some(); }
  /// Out of descriptors or memory: tried again a tick later instead of spinning.
  void expired() override { accept_some(); }
  void accept_some();

  Worker& worker_;
  int descriptor_;
};

}  // namespace onceproxy::http
