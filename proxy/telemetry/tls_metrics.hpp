// TlsMetrics: handshakes, certificates and their renewal, for each port that speaks TLS. A
// handshake costs a thousand times what counting it does, so that all threads count in one place.
// Thread-safe.
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

enum class TlsPort { data, admin, telemetry, upstream, envoy };
inline constexpr std::array<std::string_view, 5> tls_ports{"data", "admin", "telemetry", "upstream",
                                                           "envoy"};

/// Why a handshake failed. What is none of these counts as the last.
inline constexpr std::array<std::string_view, 11> tls_failures{
    "closed",   "timeout",        "crowded",         "not-tls", "version", "cipher",
    "protocol", "no-certificate", "bad-certificate", "refused", "other"};

class TlsMetrics {
 public:
  /// The port speaks TLS: its series are there from now on, at zero.
  void speaks(TlsPort port) { at(port).speaks.store(true, std::memory_order_relaxed); }
  void handshake(TlsPort port, bool resumed);
  /// `reason` is one of tls_failures. Counts, and logs it with what is known of the peer.
  void failed(TlsPort port, std::string_view peer, std::string_view reason,
              std::string_view message);
  /// When the certificate ends that the port shows; with several, the first one to end.
  void certificate(TlsPort port, std::chrono::system_clock::time_point expires);
  /// Files that had changed were put in force, or were not good and the old ones stay.
  void reloaded(TlsPort port, bool successful);

  void append(std::vector<prometheus::MetricFamily>& families) const;

 private:
  using Count = std::atomic<std::uint64_t>;
  struct Counters {
    std::atomic<bool> speaks{false};
    Count full{0};
    Count resumed{0};
    std::array<Count, tls_failures.size()> failures{};
    /// Seconds since the epoch; 0: it shows none.
    std::atomic<std::int64_t> expires{0};
    Count reloads{0};
    Count reloads_failed{0};
  };
  Counters& at(TlsPort port) { return ports_[static_cast<std::size_t>(port)]; }

  std::array<Counters, tls_ports.size()> ports_;
};

}  // namespace onceproxy::telemetry
