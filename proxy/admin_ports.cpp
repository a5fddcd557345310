#include "proxy/admin_ports.hpp"

#include <signal.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "config/header_names.hpp"
#include "proxy/admin/audit_endpoints.hpp"
#include "proxy/admin/backup_endpoints.hpp"
#include "proxy/admin/delivery_endpoints.hpp"
#include "proxy/admin/policy_endpoints.hpp"
#include "proxy/admin/record_endpoints.hpp"
#include "proxy/admin/telemetry_endpoints.hpp"
#include "proxy/options.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/tls_metrics.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;

void log_operator(std::string_view change) {
  telemetry::log(LogLevel::warn, "changed by an operator", {{"change", change}});
}

void log_record_change(std::string_view action, std::string_view target, std::string_view result) {
  telemetry::log(LogLevel::warn, "changed by an operator",
                 {{"change", action}, {"of", target}, {"result", result}});
}

/// An answer that an operator gives may have the same fields as a fixed answer.
std::optional<std::string> wrong_answer_field(std::string_view name, std::string_view value) {
  auto wrong = config::wrong_answer_field(name);
  return wrong ? wrong : config::wrong_field_value(value);
}

}  // namespace

void log_listening(std::string_view listener, std::string_view address) {
  telemetry::log(LogLevel::info, "listening", {{"listener", listener}, {"address", address}});
}

AdminPorts::AdminPorts(const Parts& parts) : parts_(parts) {
  if (parts_.settings.telemetry) open_telemetry_port();
  if (parts_.settings.admin) open_admin_port();
  if (telemetry_port_) telemetry_port_->start();
  if (admin_port_) admin_port_->start();
}

void AdminPorts::stop() {
  if (admin_port_) admin_port_->stop();
  if (telemetry_port_) telemetry_port_->stop();
}

void AdminPorts::open_telemetry_port() {
  telemetry_port_ = std::make_unique<admin::Server>(
      *parts_.settings.telemetry,
      admin::ServerTls{parts_.certificates.telemetry(), &parts_.metrics.tls(),
                       telemetry::TlsPort::telemetry});
  admin::add_telemetry_endpoints(
      *telemetry_port_, parts_.metrics, [this] { return parts_.state.why_not_ready(); },
      [this] { return parts_.store.note(); });
  log_listening("telemetry", telemetry_port_->address());
}

void AdminPorts::open_admin_port() {
  admin_port_ = std::make_unique<admin::Server>(
      *parts_.settings.admin, admin::ServerTls{parts_.certificates.admin(), &parts_.metrics.tls(),
                                               telemetry::TlsPort::admin});
  authenticate();
  add_endpoints();
  log_listening("admin", admin_port_->address());
}

void AdminPorts::authenticate() {
  const config::Settings& settings = parts_.settings;
  if (!settings.admin_token_file.empty()) {
    admin_port_->require(admin::Bearer(settings.admin_token_file));
  }
  if (!settings.admin_read_token_file.empty()) {
    admin_port_->require_to_read(
        admin::Bearer(settings.admin_read_token_file, "admin.read_token_file"));
  }
  const bool token = !settings.admin_token_file.empty() || !settings.admin_read_token_file.empty();
  // A web page cannot reach a Unix socket, and cannot have a certificate for a name of this port.
  if (!token && settings.admin->unix_path.empty() && !settings.admin->tls) {
    admin_port_->answer_only_to(admin::Hosts(settings.admin->host, settings.admin_hosts));
  }
}

void AdminPorts::add_endpoints() {
  admin::Server& port = *admin_port_;
  admin::add_admin_endpoints(port, parts_.metrics, hooks());
  admin::PolicyHooks policy_hooks;
  policy_hooks.list = [this] { return parts_.rules.list(); };
  policy_hooks.enforce = [this](const auto& name, const auto& change) {
    return parts_.rules.enforce(name, change);
  };
  admin::add_policy_endpoints(port, std::move(policy_hooks));
  if (parts_.backups != nullptr) {
    admin::add_backup_endpoints(
        port, {[this](const std::string& directory) { return parts_.backups->begin(directory); },
               [this] { return parts_.backups->state(); }});
  }
  admin::add_record_endpoints(port, parts_.store.inspection(),
                              {log_record_change, wrong_answer_field});
  if (parts_.deliveries != nullptr) {
    admin::add_delivery_endpoints(port, *parts_.store.verbs().ledger(), parts_.clock,
                                  {log_record_change, [this](const store::DeliveryKey& key) {
                                     parts_.deliveries->look_again(key);
                                   }});
  }
  if (parts_.store.verbs().audit() != nullptr) {
    admin::add_audit_endpoints(port, *parts_.store.verbs().audit());
  }
}

admin::AdminHooks AdminPorts::hooks() {
  admin::AdminHooks hooks;
  hooks.version = ONCEPROXY_VERSION;
  hooks.state = [this] { return parts_.state.state(); };
  hooks.options = [this] {
    return command_line_options(parts_.options, parts_.settings, parts_.workers);
  };
  hooks.ready = [this] { return parts_.state.why_not_ready(); };
  hooks.ready_note = [this] { return parts_.store.note(); };
  hooks.listeners = [this] {
    const http::Server& server = parts_.server;
    admin::NamedTexts listeners;
    for (const std::string& address : server.addresses()) listeners.emplace_back("data", address);
    if (!server.side_address().empty()) listeners.emplace_back("envoy", server.side_address());
    if (telemetry_port_) listeners.emplace_back("telemetry", telemetry_port_->address());
    if (admin_port_) listeners.emplace_back("admin", admin_port_->address());
    return listeners;
  };
  hooks.upstream = [this] {
    const http::Server::UpstreamUse use = parts_.server.upstream_use();
    return admin::UpstreamState{use.place.endpoint.text(),
                                use.place.found,
                                use.connections,
                                use.connections_max,
                                use.waiting,
                                use.turns,
                                use.turns_max};
  };
  hooks.drain_state = [this] {
    return admin::DrainState{parts_.server.clients(), parts_.server.drained()};
  };
  hooks.config_dump = [this] { return parts_.configuration.dump(); };
  add_changing_hooks(hooks);
  return hooks;
}

void AdminPorts::add_changing_hooks(admin::AdminHooks& hooks) {
  hooks.reload = [this] {
    const Reloaded reloaded = parts_.configuration.reload("admin");
    return admin::ReloadReport{reloaded.status != Reloaded::Status::failed,
                               telemetry::json_text(reloaded.json()) + "\n"};
  };
  hooks.set_log_level = [this](LogLevel level) {
    // Logged before the change, because the new level may suppress this line.
    log_operator("log level, until the next reload");
    telemetry::set_log_level(level);
    parts_.access_log.set_level(level);
  };
  hooks.fail_health_check = [this](bool fail) {
    log_operator(fail ? "health check failed" : "health check no longer failed");
    parts_.state.fail_by_operator(fail);
  };
  hooks.drain_listeners = [this] {
    log_operator("listeners drained");
    parts_.state.draining();
    parts_.server.stop_listening();
  };
  hooks.quit = [] {
    log_operator("end of the program");
    ::kill(::getpid(), SIGTERM);
  };
}

}  // namespace onceproxy
