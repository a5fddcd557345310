// UpstreamAddress: where the upstream is. An address or a unix socket's path is known at once; a
// name is looked up when the program starts and again and again by a thread of its own, so that a
// lookup never holds up a request and a moved upstream is found. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "proxy/http/options.hpp"
#include "proxy/http/stream.hpp"

namespace onceproxy::http {

class UpstreamAddress {
 public:
  /// Throws std::invalid_argument for a unix path that is longer than the kernel takes.
  explicit UpstreamAddress(const Endpoint& endpoint);
  ~UpstreamAddress();

  /// Nothing while a name does not resolve. The last answer is kept when a later lookup fails.
  std::optional<SocketAddress> get() const;

 private:
  void look_up();
  void keep_looking();

  const Endpoint endpoint_;
  mutable std::mutex mutex_;
  std::optional<SocketAddress> address_;
  std::condition_variable stopping_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace onceproxy::http
