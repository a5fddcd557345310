#include "proxy/app.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "config/header_names.hpp"
#include "proxy/admin/admin_endpoints.hpp"
#include "proxy/admin/audit_endpoints.hpp"
#include "proxy/admin/delivery_endpoints.hpp"
#include "proxy/admin/policy_endpoints.hpp"
#include "proxy/admin/record_endpoints.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/admin/telemetry_endpoints.hpp"
#include "proxy/backups.hpp"
#include "proxy/certificates.hpp"
#include "proxy/cores.hpp"
#include "proxy/deliveries.hpp"
#include "proxy/ext_proc/service.hpp"
#include "proxy/forced_end.hpp"
#include "proxy/http/server.hpp"
#include "proxy/main_loop.hpp"
#include "proxy/opened_store.hpp"
#include "proxy/options.hpp"
#include "proxy/rules_in_force.hpp"
#include "proxy/service_manager.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/store_clock.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;

/// How often the configuration file is looked at.
constexpr std::chrono::seconds look_interval{1};

/// A worker that has not come by for so long hangs, however short the watchdog's time is.
constexpr std::chrono::milliseconds hang_min{1'000};

/// Beyond the drain time: for what was cut off to end, and for the store to flush and close.
constexpr std::chrono::seconds end_time{10};

/// Each connection costs up to two descriptors; the soft limit is often far below the hard one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::unique_ptr<telemetry::Tracer> make_tracer(const config::Settings& settings,
                                               telemetry::Metrics& metrics) {
  const auto options = tracer_options(settings);
  if (!options) return nullptr;
  telemetry::TracerCounts counts;
  counts.exported = [&metrics](std::uint64_t spans) { metrics.spans_exported(spans); };
  counts.dropped = [&metrics](std::uint64_t spans) { metrics.spans_dropped(spans); };
  return std::make_unique<telemetry::Tracer>(*options, std::move(counts));
}

void log_listening(std::string_view listener, std::string_view address) {
  telemetry::log(LogLevel::info, "listening", {{"listener", listener}, {"address", address}});
}

void log_operator(std::string_view change) {
  telemetry::log(LogLevel::warn, "changed by an operator", {{"change", change}});
}

void log_record_change(std::string_view action, std::string_view target, std::string_view result) {
  telemetry::log(LogLevel::warn, "changed by an operator",
                 {{"change", action}, {"of", target}, {"result", result}});
}

/// Of an answer that an operator gives: the same fields as a fixed answer may have.
std::optional<std::string> wrong_answer_field(std::string_view name, std::string_view value) {
  auto wrong = config::wrong_answer_field(name);
  return wrong ? wrong : config::wrong_field_value(value);
}

class App {
 public:
  App(Configuration& configuration, const RunOptions& options)
      : configuration_(configuration),
        settings_(configuration.started_with()),
        options_(options),
        metrics_(ONCEPROXY_VERSION),
        access_log_({settings_.log},
                    [this](std::uint64_t lines) { metrics_.access_log_dropped(lines); }),
        tracer_(make_tracer(settings_, metrics_)),
        capture_({make_disguise(), [this](std::uint64_t lines) { metrics_.captured(lines); },
                  [this](telemetry::CaptureLoss why, std::uint64_t lines) {
                    metrics_.capture_lost(why, lines);
                  }}),
        certificates_(settings_, metrics_.tls()),
        store_(open_store(settings_, options_, workers(), clock_, metrics_)),
        rules_(settings_.policies, metrics_, store_->verbs().notes()) {
    if (store_->embedded() != nullptr) {
      backups_.emplace(*store_->embedded(), settings_.store.path, metrics_);
    }
    metrics_.store_gauges([this] {
      telemetry::StoreGauges gauges = store_->gauges();
      if (backups_) gauges.last_backup = backups_->last_success();
      return gauges;
    });
    metrics_.reloaded(true);
    capture_.configure(settings_.log.capture);
    configuration_.apply_with([this](const config::Settings& settings) { apply(settings); },
                              metrics_);
  }

  int serve(MainLoop& loop);

 private:
  void apply(const config::Settings& settings);
  MainLoop::Tasks tasks();
  void ping();
  void drain();
  std::optional<std::string> why_not_ready() const;
  std::size_t workers() const { return settings_.workers > 0 ? settings_.workers : usable_cores(); }
  http::SideListener envoy_listener(const http::Options& options);
  void start_admin_ports();
  admin::AdminHooks admin_hooks();
  void add_changing_hooks(admin::AdminHooks& hooks);
  telemetry::SlotsInUse slots_in_use() const;

  /// Destroyed last: it watches how the rest ends.
  std::optional<ForcedEnd> forced_end_;
  Configuration& configuration_;
  /// What the program began with: what cannot change live is read here.
  const config::Settings& settings_;
  const RunOptions& options_;
  store::StoreClock clock_;
  telemetry::Metrics metrics_;
  telemetry::AccessLog access_log_;
  /// None: nothing is traced.
  const std::unique_ptr<telemetry::Tracer> tracer_;
  telemetry::Capture capture_;
  Certificates certificates_;
  const std::unique_ptr<OpenedStore> store_;
  /// Of an embedded store alone: a database has backups of its own.
  std::optional<Backups> backups_;
  RulesInForce rules_;
  /// Before the workers whose ports share it.
  std::optional<ext_proc::Service::Shared> envoy_;
  std::unique_ptr<http::Server> server_;
  /// None: the store has no ledger.
  std::optional<Deliveries> deliveries_;
  std::unique_ptr<admin::Server> telemetry_port_;
  std::unique_ptr<admin::Server> admin_port_;
  std::atomic<admin::ServerState> state_ = admin::ServerState::pre_initializing;
  std::atomic<bool> failed_by_operator_ = false;
  ServiceManager manager_;
  bool was_alive_ = true;
};

std::optional<std::string> App::why_not_ready() const {
  switch (state_.load()) {
    case admin::ServerState::pre_initializing:
      return "starting";
    case admin::ServerState::draining:
      return "draining";
    case admin::ServerState::live:
      break;
  }
  if (failed_by_operator_) return "health check failed by an operator";
  if (std::string trouble = store_->trouble(); !trouble.empty()) return trouble;
  return std::nullopt;
}

/// Everything that can change live, or nothing if the capture's file or the upstream's address
/// cannot be used; then a capture that was to begin has begun.
void App::apply(const config::Settings& settings) {
  const std::shared_ptr<gate::Rules> next = rules_.next(settings.policies);
  capture_.configure(settings.log.capture);
  const http::Options options = http_options(settings, certificates_.prepare_upstream(settings),
                                             certificates_.identify_clients());
  // Before the data port: an event that it accepts must find its listeners.
  if (deliveries_) deliveries_->configure(next, options);
  server_->configure(options, next);
  if (envoy_) envoy_->configure(options, *next);
  certificates_.adopt_upstream();
  rules_.follow_with(next);
  telemetry::set_up_log(settings.log.level, settings.log.format);
  access_log_.set_level(settings.log.level);
  access_log_.set_format(settings.log.format);
  if (store_->verbs().audit() != nullptr) {
    store_->verbs().audit()->act({.action = "reload", .target = options_.config_file});
  }
}

admin::AdminHooks App::admin_hooks() {
  admin::AdminHooks hooks;
  hooks.version = ONCEPROXY_VERSION;
  // As Envoy's: one that fails its health check is about to leave.
  hooks.state = [this] {
    const admin::ServerState state = state_.load();
    const bool leaving = state == admin::ServerState::live && failed_by_operator_;
    return leaving ? admin::ServerState::draining : state;
  };
  hooks.options = [this] { return command_line_options(options_, settings_, workers()); };
  hooks.ready = [this] { return why_not_ready(); };
  hooks.ready_note = [this] { return store_->note(); };
  hooks.listeners = [this] {
    admin::NamedTexts listeners;
    for (const std::string& address : server_->addresses()) listeners.emplace_back("data", address);
    if (!server_->side_address().empty()) listeners.emplace_back("envoy", server_->side_address());
    if (telemetry_port_) listeners.emplace_back("telemetry", telemetry_port_->address());
    if (admin_port_) listeners.emplace_back("admin", admin_port_->address());
    return listeners;
  };
  hooks.upstream = [this] {
    const http::Server::UpstreamUse use = server_->upstream_use();
    return admin::UpstreamState{use.place.endpoint.text(),
                                use.place.found,
                                use.connections,
                                use.connections_max,
                                use.waiting,
                                use.turns,
                                use.turns_max};
  };
  hooks.drain_state = [this] { return admin::DrainState{server_->clients(), server_->drained()}; };
  hooks.config_dump = [this] { return configuration_.dump(); };
  add_changing_hooks(hooks);
  return hooks;
}

void App::add_changing_hooks(admin::AdminHooks& hooks) {
  hooks.reload = [this] {
    const Reloaded reloaded = configuration_.reload("admin");
    return admin::ReloadReport{reloaded.status != Reloaded::Status::failed,
                               telemetry::json_text(reloaded.json()) + "\n"};
  };
  hooks.set_log_level = [this](LogLevel level) {
    // Said first, as it may be the last thing that is.
    log_operator("log level, until the next reload");
    telemetry::set_log_level(level);
    access_log_.set_level(level);
  };
  hooks.fail_health_check = [this](bool fail) {
    log_operator(fail ? "health check failed" : "health check no longer failed");
    failed_by_operator_ = fail;
  };
  hooks.drain_listeners = [this] {
    log_operator("listeners drained");
    state_ = admin::ServerState::draining;
    server_->stop_listening();
  };
  hooks.quit = [] {
    log_operator("end of the program");
    ::kill(::getpid(), SIGTERM);
  };
}

void App::start_admin_ports() {
  if (settings_.telemetry) {
    telemetry_port_ =
        std::make_unique<admin::Server>(admin_endpoint(*settings_.telemetry),
                                        admin::ServerTls{certificates_.telemetry(), &metrics_.tls(),
                                                         telemetry::TlsPort::telemetry});
    admin::add_telemetry_endpoints(
        *telemetry_port_, metrics_, [this] { return why_not_ready(); },
        [this] { return store_->note(); });
    log_listening("telemetry", telemetry_port_->address());
  }
  if (settings_.admin) {
    admin_port_ = std::make_unique<admin::Server>(
        admin_endpoint(*settings_.admin),
        admin::ServerTls{certificates_.admin(), &metrics_.tls(), telemetry::TlsPort::admin});
    if (!settings_.admin_token_file.empty()) {
      admin_port_->require(admin::Bearer(settings_.admin_token_file));
    }
    if (!settings_.admin_read_token_file.empty()) {
      admin_port_->require_to_read(
          admin::Bearer(settings_.admin_read_token_file, "admin.read_token_file"));
    }
    const bool token =
        !settings_.admin_token_file.empty() || !settings_.admin_read_token_file.empty();
    // No web page reaches a unix socket, and none has a certificate for a name of its own here.
    if (!token && settings_.admin->unix_path.empty() && !settings_.admin->tls) {
      admin_port_->answer_only_to(admin::Hosts(settings_.admin->host, settings_.admin_hosts));
    }
    admin::add_admin_endpoints(*admin_port_, metrics_, admin_hooks());
    admin::PolicyHooks hooks;
    hooks.list = [this] { return rules_.list(); };
    hooks.enforce = [this](const auto& name, const auto& change) {
      return rules_.enforce(name, change);
    };
    admin::add_policy_endpoints(*admin_port_, std::move(hooks));
    if (backups_) {
      admin::add_backup_endpoints(*admin_port_, {[this](const std::string& directory) {
                                                   return backups_->begin(directory);
                                                 },
                                                 [this] { return backups_->state(); }});
    }
    admin::add_record_endpoints(*admin_port_, store_->inspection(),
                                {log_record_change, wrong_answer_field});
    if (deliveries_) {
      admin::add_delivery_endpoints(*admin_port_, *store_->verbs().ledger(), clock_,
                                    {log_record_change, [this](const std::string& listener) {
                                       deliveries_->look_again(listener);
                                     }});
    }
    if (store_->verbs().audit() != nullptr)
      admin::add_audit_endpoints(*admin_port_, *store_->verbs().audit());
    log_listening("admin", admin_port_->address());
  }
  if (telemetry_port_) telemetry_port_->start();
  if (admin_port_) admin_port_->start();
}

telemetry::SlotsInUse App::slots_in_use() const {
  const http::Server::UpstreamUse use = server_->upstream_use();
  const std::size_t to_listeners = deliveries_ ? deliveries_->connections() : 0;
  return {server_->clients(), use.connections + to_listeners, use.turns,
          rules_.get()->turns_in_use()};
}

MainLoop::Tasks App::tasks() {
  MainLoop::Tasks tasks;
  tasks.reload = [this] {
    manager_.reloading();
    configuration_.reload("signal");
    manager_.ready();
  };
  const auto look = [this] {
    configuration_.look();
    certificates_.look();
    if (deliveries_) deliveries_->look();
    rules_.keep_estimates();
    manager_.status(why_not_ready().value_or("ready"));
  };
  tasks.repeated.push_back({look, look_interval});
  if (manager_.ping_interval().count() > 0) {
    tasks.repeated.push_back({[this] { ping(); }, manager_.ping_interval()});
  }
  return tasks;
}

/// systemd ends a program that is not alive; so it hears nothing while a worker hangs.
void App::ping() {
  const auto since = std::chrono::steady_clock::now() -
                     std::max<std::chrono::milliseconds>(manager_.ping_interval(), hang_min);
  const bool alive = server_->alive_since(since);
  if (alive) manager_.ping();
  if (alive != was_alive_) {
    telemetry::log(alive ? LogLevel::info : LogLevel::error,
                   alive ? "every worker is alive again"
                         : "a worker hangs; the watchdog is not told that the program is alive");
  }
  was_alive_ = alive;
}

void App::drain() {
  forced_end_.emplace(options_.drain_time + end_time);
  state_ = admin::ServerState::draining;
  telemetry::log(LogLevel::info, "draining",
                 {{"drain_time_ms", static_cast<std::int64_t>(options_.drain_time.count())}});
  manager_.stopping(options_.drain_time + end_time);
  manager_.status("draining");
  const auto deadline = std::chrono::steady_clock::now() + options_.drain_time;
  server_->stop_listening();
  bool drained = false;
  auto left = options_.drain_time;
  const bool watched = manager_.ping_interval().count() > 0;
  while (!drained && left.count() > 0) {
    drained =
        server_->wait_until_drained(watched ? std::min(left, manager_.ping_interval()) : left);
    if (watched) ping();
    left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline -
                                                                 std::chrono::steady_clock::now());
  }
  if (deliveries_) deliveries_->end_waits();
  if (!server_->drain(std::chrono::milliseconds(0))) {
    telemetry::log(LogLevel::warn, "drain time is over; what was under way has ended as unknown");
  }
  if (deliveries_) deliveries_->drain(std::max(left, std::chrono::milliseconds(0)));
}

http::SideListener App::envoy_listener(const http::Options& options) {
  if (!settings_.envoy) return {};
  envoy_.emplace(metrics_, certificates_.envoy());
  envoy_->configure(options, *rules_.get());
  return {endpoint(*settings_.envoy), [this](const http::SidePortParts& parts) {
            return std::make_unique<ext_proc::Service>(*envoy_, parts);
          }};
}

int App::serve(MainLoop& loop) {
  if (store_->verbs().ledger() != nullptr) {
    deliveries_.emplace(store_->verbs(), clock_, metrics_, tracer_.get());
  }
  const http::Options options =
      http_options(settings_, certificates_.upstream(), certificates_.identify_clients());
  server_ = std::make_unique<http::Server>(options, data_listeners(settings_, certificates_),
                                           workers(), store_->verbs(), clock_, metrics_,
                                           access_log_, rules_.get(), tracer_.get(), &capture_,
                                           deliveries_ ? &deliveries_->acknowledger() : nullptr,
                                           envoy_listener(options));
  if (deliveries_) deliveries_->start(server_->upstream_share(), rules_.get(), options);
  start_admin_ports();
  server_->start();
  for (const std::string& address : server_->addresses()) log_listening("data", address);
  if (!server_->side_address().empty()) log_listening("envoy", server_->side_address());
  metrics_.slots_in_use([this] { return slots_in_use(); });
  metrics_.leases([this] { return rules_.leases(); });
  // Unless an operator drains already.
  auto starting = admin::ServerState::pre_initializing;
  state_.compare_exchange_strong(starting, admin::ServerState::live);
  telemetry::log(LogLevel::info, "ready",
                 {{"workers", static_cast<std::int64_t>(workers())},
                  {"policies", static_cast<std::int64_t>(settings_.policies.size())},
                  {"upstream", settings_.upstream.address.text()},
                  {"store", store_->place()}});
  manager_.ready();
  loop.run(tasks());
  drain();
  // Workers are gone: nothing calls the store any more, so it may flush and close.
  metrics_.store_gauges({});
  metrics_.slots_in_use({});
  metrics_.leases({});
  metrics_.deliveries({});
  rules_.keep_estimates();
  if (backups_) backups_->stop();
  store_->close();
  if (admin_port_) admin_port_->stop();
  if (telemetry_port_) telemetry_port_->stop();
  telemetry::log(LogLevel::info, "stopped");
  return 0;
}

}  // namespace

int run(Configuration& configuration, const RunOptions& options) {
  MainLoop loop;
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  telemetry::log(LogLevel::info, "starting",
                 {{"version", ONCEPROXY_VERSION},
                  {"config", options.config_file},
                  {"pid", static_cast<std::int64_t>(::getpid())}});
  App app(configuration, options);
  return app.serve(loop);
}

}  // namespace onceproxy
