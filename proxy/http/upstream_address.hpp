// UpstreamAddress: the address of the upstream. A numeric address or a Unix socket's path is used
// directly. A name is looked up at once and then repeatedly by a separate thread, so that a lookup
// never delays a request and a new address is found. The resolver may take a minute if no name
// server answers; nothing waits for that long, not even the destructor.
//
// A name may have several addresses. All are kept, in the order in which they are tried. The TLS
// settings are kept with them, so that a request is never sent without TLS to an address that
// requires it.
//
// Thread-safe, except for move(), which one thread calls at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
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

/// How names are looked up.
struct NameLookups {
  /// Returns the addresses of a name, or sets the error. May block.
  using Resolve = std::function<std::vector<io::SocketAddress>(const Endpoint&, io::ErrorCode&)>;
  /// How long the constructor and move() wait for the first lookup of a name.
  std::chrono::milliseconds wait{1'000};
  /// Empty: the system's resolver.
  Resolve resolve = {};
};

class UpstreamAddress {
 public:
  using Tls = std::shared_ptr<const tls::ClientPort>;

  using Lookups = NameLookups;

  /// `lookup_failed` is called, on any thread, if a name could not be resolved; it must not use
  /// this object. `tls`: nullptr if the upstream does not use TLS. Throws like move().
  explicit UpstreamAddress(const Endpoint& endpoint, std::function<void()> lookup_failed = {},
                           Tls tls = nullptr, Lookups lookups = {});
  ~UpstreamAddress();
  UpstreamAddress(const UpstreamAddress&) = delete;
  UpstreamAddress& operator=(const UpstreamAddress&) = delete;

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
  std::uint64_t generation() const { return state_->generation.load(); }
  bool has(const io::SocketAddress& address, const Tls& tls) const;

  /// `address` answered although others did not: it is tried first until the next lookup.
  void prefer(const io::SocketAddress& address);

  /// Uses another endpoint or other TLS settings from now on. The previous addresses stay in use
  /// until the new ones are found; for a name, this waits a moment for the first lookup. Throws
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
  /// Shared with the thread that looks names up: it may be inside the resolver when this object is
  /// destroyed.
  struct State {
    void put(std::vector<io::SocketAddress> addresses, const Tls& wanted_tls, bool moved);
    /// The thread. Returns once `stopped` is set.
    void look_up_repeatedly();
    void looked_up(const Endpoint& of, const std::vector<io::SocketAddress>& resolved,
                   const io::ErrorCode& error, std::unique_lock<std::mutex>& lock);

    mutable std::mutex mutex;
    Endpoint endpoint;
    Tls tls;
    /// Whether `endpoint` must be looked up.
    bool is_name = false;
    /// Whether `found` still belongs to the previous endpoint.
    bool moving = false;
    std::shared_ptr<const Found> found;
    std::atomic<std::uint64_t> generation = 0;

    std::function<void()> lookup_failed;
    /// Used by the thread only, after it has been started.
    NameLookups::Resolve resolve;
    bool stopped = false;
    bool in_resolver = false;
    /// The number of lookups that move() has asked for, and up to which one they are done.
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::chrono::steady_clock::time_point next_lookup;
    /// For the thread: `stopped` or `asked` has changed. For move(): `answered` has changed.
    std::condition_variable changed;
  };

  void start();

  const std::chrono::milliseconds wait_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  /// Started for the first name only.
  std::thread thread_;
};

}  // namespace onceproxy::http
