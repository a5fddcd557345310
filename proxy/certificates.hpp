// Certificates: the TLS contexts of all ports, from files that are checked while the program runs.
// Changed files that are valid are used for later handshakes. Files that are not valid are logged
// and counted, and the previous ones stay in use. No connection is closed because of a change.
//
// Thread-safety: the ports that it returns may be used by any thread; the other functions are
// serialized here.
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
  /// Throws std::runtime_error with the file's name if a port could not make handshakes. Expired
  /// certificates and incomplete chains are logged and used.
  Certificates(const config::Settings& settings, telemetry::TlsMetrics& metrics);
  ~Certificates();

  /// nullptr: the port uses plain HTTP. The results are valid as long as they are referenced.
  std::shared_ptr<const tls::ServerPort> data(std::size_t listener) const;
  std::shared_ptr<const tls::ServerPort> admin() const { return admin_; }
  std::shared_ptr<const tls::ServerPort> telemetry() const { return telemetry_; }
  std::shared_ptr<const tls::ServerPort> envoy() const { return envoy_; }
  std::shared_ptr<const tls::ClientPort> upstream() const;

  /// Prepares TLS to the upstream for another configuration: the same port if nothing changed,
  /// another one, or none. Throws like the constructor. Nothing changes before adopt_upstream(),
  /// which activates it.
  std::shared_ptr<const tls::ClientPort> prepare_upstream(const config::Settings& settings);
  void adopt_upstream();

  /// The port for connections to a listener of events. Equal options get the same port. Its files
  /// are checked for changes as long as the port is in use. Throws like the constructor; `place` is
  /// named in the message.
  std::shared_ptr<const tls::ClientPort> listener_port(const std::string& place,
                                                       const tls::ClientOptions& options);

  /// Whether a listener of the data port requests client certificates.
  bool identify_clients() const;

  /// Checks whether files have changed. Called about once a second.
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
  /// Must be destroyed after its users.
  tls::TicketKeys tickets_;
  std::vector<std::shared_ptr<tls::ServerPort>> data_;
  std::shared_ptr<tls::ServerPort> admin_;
  std::shared_ptr<tls::ServerPort> telemetry_;
  std::shared_ptr<tls::ServerPort> envoy_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::shared_ptr<Upstream> upstream_;
  std::shared_ptr<Upstream> next_upstream_;
  /// Of the listeners of events.
  std::vector<std::weak_ptr<Upstream>> peers_;
};

}  // namespace onceproxy
