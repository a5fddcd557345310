// AdminPorts: the admin port and the telemetry port of the program, with the endpoints that its
// parts offer. A port that the configuration does not name does not exist.
// Thread-safety: belongs to the main thread. The handlers run on the ports' own threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "config/settings.hpp"
#include "proxy/admin/admin_endpoints.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/app.hpp"
#include "proxy/backups.hpp"
#include "proxy/certificates.hpp"
#include "proxy/configuration.hpp"
#include "proxy/deliveries.hpp"
#include "proxy/http/server.hpp"
#include "proxy/opened_store.hpp"
#include "proxy/program_state.hpp"
#include "proxy/rules_in_force.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/clock.hpp"

namespace onceproxy {

class AdminPorts {
 public:
  /// What the endpoints show and change. All of it must outlive the ports.
  struct Parts {
    const config::Settings& settings;
    const RunOptions& options;
    std::size_t workers;
    Configuration& configuration;
    telemetry::Metrics& metrics;
    telemetry::AccessLog& access_log;
    const Certificates& certificates;
    OpenedStore& store;
    const store::Clock& clock;
    RulesInForce& rules;
    http::Server& server;
    ProgramState& state;
    /// nullptr: the store makes no backups.
    Backups* backups;
    /// nullptr: the store has no ledger.
    Deliveries* deliveries;
  };

  /// Binds the ports and begins to serve. Throws std::system_error if an address cannot be used.
  explicit AdminPorts(const Parts& parts);
  void stop();

 private:
  void open_telemetry_port();
  void open_admin_port();
  void authenticate();
  void add_endpoints();
  admin::AdminHooks hooks();
  void add_changing_hooks(admin::AdminHooks& hooks);

  const Parts parts_;
  std::unique_ptr<admin::Server> telemetry_port_;
  std::unique_ptr<admin::Server> admin_port_;
};

/// One line of the log for each address on which the program listens.
void log_listening(std::string_view listener, std::string_view address);

}  // namespace onceproxy
