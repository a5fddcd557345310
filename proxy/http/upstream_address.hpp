// UpstreamAddress: where the upstream is. An address or a unix socket's path is known at once; a
// name is looked up when it is given and again and again by a thread of its own, so that a lookup
// never holds up a request and a moved upstream is found.
//
// A name may have several addresses. All are kept, in the order in which they are to be tried. How
// TLS is spoken with them is kept beside them, so that nothing goes to an address in clear that was
// meant for another one.
//
// Thread-safe, but for move(), which one thread calls at a time.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/http/options.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

/// Numeric, host:port or unix:/path.
std::string address_text(const io::SocketAddress& address);

/// In the order of RFC 8305 4: as the resolver sorted them (RFC 6724), and from there on the two
/// families take turns. None stands twice, and there are at most 16.
std::vector<io::SocketAddress> in_order_of_trial(const std::vector<io::SocketAddress>& resolved);

class UpstreamAddress {
 public:
  using Tls = std::shared_ptr<const tls::ClientPort>;

  /// `lookup_failed` is called, on any thread, when a name could not be resolved. `tls`: nullptr
  /// where the upstream speaks none. Throws as move() does.
  explicit UpstreamAddress(const Endpoint& endpoint, std::function<void()> lookup_failed = {},
                           Tls tls = nullptr);
  ~UpstreamAddress();

  struct Found {
    /// At least one.
    std::vector<io::SocketAddress> addresses;
    std::uint64_t generation;
    /// nullptr: they speak none.
    Tls tls;
  };
  /// Nothing while a name does not resolve. The last answer is kept when a later lookup fails.
  std::shared_ptr<const Found> get() const;

  /// Grows whenever other addresses are found, or the TLS of them changes: connections that were
  /// made before may lead elsewhere, which has() tells.
  std::uint64_t generation() const { return generation_.load(); }
  bool has(const io::SocketAddress& address, const Tls& tls) const;

  /// `address` answered where others did not: until the next lookup it is tried first.
  void prefer(const io::SocketAddress& address);

  /// Another endpoint, or other TLS, from now on. What was found of the one before stays in use
  /// until the new one is found: for a name that is when it resolves, which is tried once before
  /// this returns. Throws std::invalid_argument for a unix path that is longer than the kernel
  /// takes; then nothing has changed.
  void move(const Endpoint& endpoint, Tls tls = nullptr);

  struct Place {
    Endpoint endpoint;
    /// host:port or unix:/path as found, numeric, several with ", " between; empty while nothing
    /// is.
    std::string found;
  };
  /// For operators.
  Place place() const;

 private:
  void put(std::vector<io::SocketAddress> addresses, const Tls& tls, bool moved);
  void look_up();
  void look_up_later();

  const std::function<void()> lookup_failed_;
  mutable std::mutex mutex_;
  Endpoint endpoint_;
  Tls tls_;
  /// `endpoint_` has to be looked up.
  bool is_name_ = false;
  /// `found_` is still that of the endpoint before.
  bool moving_ = false;
  std::shared_ptr<const Found> found_;
  std::atomic<std::uint64_t> generation_ = 0;

  /// Made for the first name: each costs three descriptors, and an address needs none.
  struct Lookups {
    io::asio::io_context context{1};
    io::asio::steady_timer next{context};
  };
  std::unique_ptr<Lookups> lookups_;
  std::thread thread_;
};

}  // namespace onceproxy::http
