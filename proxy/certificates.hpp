// Certificates: what every port that speaks TLS makes its connections with, from files that are
// looked at while the program runs. Files that changed and are good take the place of the old ones
// for the handshakes that follow; those that are not are reported in the log and counted, and the
// old ones stay. No connection ends for either.
//
// Thread-safety: the ports that it hands out may be used from any thread; the rest belongs to one
// thread at a time, guarded here.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "proxy/file_watch.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/port.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace onceproxy {

class Certificates {
 public:
  /// Throws std::runtime_error, naming the file, where a port could make no handshake. What is
  /// expired, or not whole, is logged, and served.
  Certificates(const config::Settings& settings, telemetry::TlsMetrics& metrics);
  ~Certificates();

  /// nullptr: the port speaks plain HTTP. They live as long as a reference is held.
  std::shared_ptr<const tls::ServerPort> data(std::size_t listener) const;
  std::shared_ptr<const tls::ServerPort> admin() const { return admin_; }
  std::shared_ptr<const tls::ServerPort> telemetry() const { return telemetry_; }
  std::shared_ptr<const tls::ServerPort> envoy() const { return envoy_; }
  std::shared_ptr<const tls::ClientPort> upstream() const;

  /// Another configuration's TLS towards the upstream: the same port where it says the same,
  /// another one, or none. Throws as the constructor does. Nothing changes before
  /// adopt_upstream(), which says that the configuration is in force.
  std::shared_ptr<const tls::ClientPort> prepare_upstream(const config::Settings& settings);
  void adopt_upstream();

  /// Some listener of the data port asks clients for certificates.
  bool identify_clients() const;

  /// Looks whether files changed. To be called about once a second.
  void look();

 private:
  using Time = std::chrono::system_clock::time_point;
  template <typename Options, typename Context>
  struct Watched;
  using Listener = Watched<tls::ServerOptions, tls::ServerContext>;
  using Upstream = Watched<tls::ClientOptions, tls::ClientContext>;

  std::shared_ptr<tls::ServerPort> listen(telemetry::TlsPort port, std::string place,
                                          const std::optional<tls::ServerOptions>& tls);
  template <typename Entry>
  void look_at(Entry& entry);
  void tell_ends();

  telemetry::TlsMetrics& metrics_;
  mutable std::mutex mutex_;
  /// Before what uses them.
  tls::TicketKeys tickets_;
  std::vector<std::shared_ptr<tls::ServerPort>> data_;
  std::shared_ptr<tls::ServerPort> admin_;
  std::shared_ptr<tls::ServerPort> telemetry_;
  std::shared_ptr<tls::ServerPort> envoy_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::shared_ptr<Upstream> upstream_;
  std::shared_ptr<Upstream> next_upstream_;
};

}  // namespace onceproxy
