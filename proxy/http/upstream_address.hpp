// UpstreamAddress: the address of the upstream. A numeric address or a Unix socket's path is used
// directly. A name is looked up at once and then repeatedly by a separate thread, so that a lookup
// never delays a request and a new address is found.
//
// A name may have several addresses. All are kept, in the order in which they are tried. The TLS
// settings are kept with them, so that a request is never sent without TLS to an address that
// requires it.
//
// Thread-safe, except for move(), which one thread calls at a time.
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

/// A numeric address, as host:port or unix:/path.
std::string address_text(const io::SocketAddress& address);

/// The addresses in the order of RFC 8305 4: as the resolver sorted them (RFC 6724), alternating
/// between the two families. There are no duplicates, and at most 16.
std::vector<io::SocketAddress> in_order_of_trial(const std::vector<io::SocketAddress>& resolved);

class UpstreamAddress {
 public:
  using Tls = std::shared_ptr<const tls::ClientPort>;

  /// `lookup_failed` is called, on any thread, if a name could not be resolved. `tls`: nullptr if
  /// the upstream does not use TLS. Throws like move().
  explicit UpstreamAddress(const Endpoint& endpoint, std::function<void()> lookup_failed = {},
                           Tls tls = nullptr);
  ~UpstreamAddress();

  struct Found {
    /// At least one.
    std::vector<io::SocketAddress> addresses;
    std::uint64_t generation;
    /// nullptr: no TLS.
    Tls tls;
  };
  /// Nothing until the name has been resolved. If a later lookup fails, the last result is kept.
  std::shared_ptr<const Found> get() const;

  /// A number that grows when the addresses or their TLS settings change. Older connections may
  /// then lead elsewhere; see has().
  std::uint64_t generation() const { return generation_.load(); }
  bool has(const io::SocketAddress& address, const Tls& tls) const;

  /// `address` answered although others did not: it is tried first until the next lookup.
  void prefer(const io::SocketAddress& address);

  /// Uses another endpoint or other TLS settings from now on. The previous addresses stay in use
  /// until the new ones are found; for a name, one lookup is made before this returns. Throws
  /// std::invalid_argument if a Unix path is too long for the kernel; nothing changes in this case.
  void move(const Endpoint& endpoint, Tls tls = nullptr);

  struct Place {
    Endpoint endpoint;
    /// The numeric addresses, as host:port or unix:/path, separated by ", "; empty if none is
    /// known.
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
  /// Whether `endpoint_` must be looked up.
  bool is_name_ = false;
  /// Whether `found_` still belongs to the previous endpoint.
  bool moving_ = false;
  std::shared_ptr<const Found> found_;
  std::atomic<std::uint64_t> generation_ = 0;

  /// Created for the first name only, because each resolver needs three descriptors.
  struct Lookups {
    io::asio::io_context context{1};
    io::asio::steady_timer next{context};
  };
  std::unique_ptr<Lookups> lookups_;
  std::thread thread_;
};

}  // namespace onceproxy::http
