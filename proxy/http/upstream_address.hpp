// UpstreamAddress: where the upstream is. An address or a unix socket's path is known at once; a
// name is looked up when it is given and again and again by a thread of its own, so that a lookup
// never holds up a request and a moved upstream is found.
//
// Thread-safe, but for move(), which one thread calls at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/http/options.hpp"
#include "proxy/http/stream.hpp"

namespace onceproxy::http {

class UpstreamAddress {
 public:
  /// Throws as move() does.
  explicit UpstreamAddress(const Endpoint& endpoint) { move(endpoint); }
  ~UpstreamAddress();

  struct Found {
    SocketAddress address;
    /// Of the endpoint it belongs to.
    std::uint64_t generation;
  };
  /// Nothing while a name does not resolve. The last answer is kept when a later lookup fails.
  std::optional<Found> get() const;

  /// Grows whenever another endpoint is found: connections that were made before lead elsewhere.
  std::uint64_t generation() const { return generation_.load(); }

  /// Another endpoint from now on. What was found of the one before stays in use until the new one
  /// is found: for a name that is when it resolves, which is tried once before this returns.
  /// Throws std::invalid_argument for a unix path that is longer than the kernel takes; then
  /// nothing has changed.
  void move(const Endpoint& endpoint);

  struct Place {
    Endpoint endpoint;
    /// host:port or unix:/path as found, numeric; empty while nothing is.
    std::string found;
  };
  /// For operators.
  Place place() const;

 private:
  void look_up();
  void keep_looking();

  mutable std::mutex mutex_;
  Endpoint endpoint_;
  /// `endpoint_` has to be looked up.
  bool is_name_ = false;
  /// `address_` is still that of the endpoint before.
  bool moving_ = false;
  std::optional<SocketAddress> address_;
  std::atomic<std::uint64_t> generation_ = 0;
  std::condition_variable stopping_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace onceproxy::http
