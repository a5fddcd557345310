// TlsMetrics: handshakes, certificates and their renewal, for each TLS port. A handshake costs a
// thousand times as much as counting it, so all threads use the same counters. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prometheus {
struct MetricFamily;
}

namespace onceproxy::telemetry {

/// `delivery`: towards the listeners of events, all together.
enum class TlsPort { data, admin, telemetry, upstream, envoy, delivery };
inline constexpr std::array<std::string_view, 6> tls_ports{"data",     "admin", "telemetry",
                                                           "upstream", "envoy", "delivery"};

/// The reasons why a handshake can fail. Other reasons count as the last one.
inline constexpr std::array<std::string_view, 11> tls_failures{
    "closed",   "timeout",        "crowded",         "not-tls", "version", "cipher",
    "protocol", "no-certificate", "bad-certificate", "refused", "other"};

class TlsMetrics {
 public:
  /// The port uses TLS: its series are shown at zero from now on.
  void speaks(TlsPort port) { at(port).speaks.store(true, std::memory_order_relaxed); }
  void handshake(TlsPort port, bool resumed);
  /// `reason`: one of tls_failures. Counts the failure, and logs it with the identity of the peer.
  void failed(TlsPort port, std::string_view peer, std::string_view reason,
              std::string_view message);
  /// The time at which the port's certificate expires; with several certificates the earliest.
  void certificate(TlsPort port, std::chrono::system_clock::time_point expires);
  /// Changed files were loaded, or were not valid and the previous ones stay in use.
  void reloaded(TlsPort port, bool successful);

  void append(std::vector<prometheus::MetricFamily>& families) const;

 private:
  using Count = std::atomic<std::uint64_t>;
  struct Counters {
    std::atomic<bool> speaks{false};
    Count full{0};
    Count resumed{0};
    std::array<Count, tls_failures.size()> failures{};
    /// Seconds since 1970; 0 if there is no certificate.
    std::atomic<std::int64_t> expires{0};
    Count reloads{0};
    Count reloads_failed{0};
  };
  Counters& at(TlsPort port) { return ports_[static_cast<std::size_t>(port)]; }

  std::array<Counters, tls_ports.size()> ports_;
};

}  // namespace onceproxy::telemetry
