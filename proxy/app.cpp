#include "proxy/app.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/admin/admin_endpoints.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/admin/telemetry_endpoints.hpp"
#include "proxy/cores.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/server.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/clock.hpp"
#include "store/rocksdb_store.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;

LogLevel log_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::trace:
      return LogLevel::trace;
    case config::LogLevel::debug:
      return LogLevel::debug;
    case config::LogLevel::info:
      return LogLevel::info;
    case config::LogLevel::warn:
      return LogLevel::warn;
    case config::LogLevel::error:
      break;
  }
  return LogLevel::error;
}

telemetry::LogFormat log_format(config::LogFormat format) {
  return format == config::LogFormat::text ? telemetry::LogFormat::text
                                           : telemetry::LogFormat::json;
}

http::Endpoint endpoint(const config::Address& address) {
  return {address.host, address.port, address.unix_path};
}

http::Options http_options(const config::Settings& settings) {
  http::Options options;
  options.upstream.endpoint = endpoint(settings.upstream.address);
  options.upstream.connect_timeout = settings.upstream.connect_timeout;
  options.upstream.response_timeout = settings.upstream.response_timeout;
  options.upstream.idle_timeout = settings.upstream.idle_timeout;
  options.upstream.connections_max = settings.upstream.connections_max;
  options.upstream.concurrency_max = settings.upstream.concurrency_max;
  options.upstream.head_bytes_max = settings.upstream.head_bytes_max;
  options.limits.connections = settings.limits.connections;
  options.limits.head_bytes = settings.limits.head_bytes;
  options.limits.headers = settings.limits.headers;
  options.limits.body_bytes = settings.limits.body_bytes;
  options.limits.head_timeout = settings.limits.head_timeout;
  options.limits.body_timeout = settings.limits.body_timeout;
  options.limits.idle_timeout = settings.limits.idle_timeout;
  options.limits.pass_encoded_slashes = settings.limits.pass_encoded_slashes;
  return options;
}

store::RocksDbObserver observer(telemetry::Metrics& metrics) {
  store::RocksDbObserver observer;
  observer.committed = [&metrics](std::chrono::nanoseconds duration, std::size_t operations) {
    metrics.store_commit(duration, operations);
  };
  observer.failed = [&metrics](std::string_view operation, std::string_view detail) {
    metrics.store_error(operation);
    telemetry::log(LogLevel::error, "store error", {{"operation", operation}, {"error", detail}});
  };
  observer.permit_dropped = [&metrics] {
    metrics.permit_dropped();
    telemetry::log(LogLevel::error, "permit dropped",
                   {{"error", "a reservation was left to its lease"}});
  };
  observer.event = [](std::string_view what) { telemetry::log(LogLevel::warn, what); };
  return observer;
}

telemetry::StoreGauges gauges(const store::RocksDbStore& store,
                              const store::RocksDbOptions& limits) {
  const store::RocksDbStats stats = store.stats();
  const store::RocksDbFigures figures = store.figures();
  telemetry::StoreGauges gauges;
  gauges.bytes = stats.bytes;
  gauges.bytes_max = limits.bytes_max;
  gauges.records_estimate = stats.records_estimate;
  gauges.reservations = stats.reservations_active;
  gauges.reservations_max = limits.pending_max;
  gauges.healthy = stats.healthy;
  gauges.writes_stopped = figures.writes_stopped;
  gauges.delayed_write_rate = figures.delayed_write_rate;
  gauges.background_errors = figures.background_errors;
  gauges.memtable_bytes = figures.memtable_bytes;
  gauges.compaction_pending_bytes = figures.compaction_pending_bytes;
  gauges.compactions_running = figures.compactions_running;
  gauges.block_cache_bytes = figures.block_cache_bytes;
  gauges.blob_bytes = figures.blob_bytes;
  return gauges;
}

/// Each connection costs up to two descriptors; the soft limit is often far below the hard one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The signals that run() waits for; blocked in every thread, so that only it gets them.
sigset_t block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

void log_listening(std::string_view listener, std::string_view address) {
  telemetry::log(LogLevel::info, "listening", {{"listener", listener}, {"address", address}});
}

class App {
 public:
  App(const config::Settings& settings, const RunOptions& options)
      : settings_(settings),
        options_(options),
        metrics_(ONCEPROXY_VERSION),
        access_log_({log_level(settings.log.level), log_format(settings.log.format)},
                    [this](std::uint64_t lines) { metrics_.access_log_dropped(lines); }),
        store_(store::RocksDbStore::open(store_options(), clock_, observer(metrics_))),
        rules_(std::make_shared<gate::Rules>(settings.policies, metrics_)) {
    metrics_.store_gauges([this, limits = store_options()] { return gauges(*store_, limits); });
    metrics_.reloaded(true);
  }

  int serve(const sigset_t& signals);

 private:
  store::RocksDbOptions store_options() const;
  std::vector<http::Endpoint> listen() const;
  std::optional<std::string> why_not_ready() const;
  void start_admin_ports();
  admin::AdminHooks admin_hooks();
  bool wait_for_end(const sigset_t& signals) const;

  const config::Settings& settings_;
  const RunOptions& options_;
  store::SystemClock clock_;
  telemetry::Metrics metrics_;
  telemetry::AccessLog access_log_;
  std::unique_ptr<store::RocksDbStore> store_;
  std::shared_ptr<const gate::Rules> rules_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<admin::Server> telemetry_port_;
  std::unique_ptr<admin::Server> admin_port_;
  std::atomic<admin::ServerState> state_ = admin::ServerState::pre_initializing;
  std::atomic<bool> failed_by_operator_ = false;
};

store::RocksDbOptions App::store_options() const {
  store::RocksDbOptions options = settings_.store;
  options.pending_max = settings_.limits.pending;
  options.accept_wal_loss = options_.accept_wal_loss;
  return options;
}

std::vector<http::Endpoint> App::listen() const {
  std::vector<http::Endpoint> all;
  for (const config::Address& address : settings_.listen) all.push_back(endpoint(address));
  return all;
}

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
  if (!store_->stats().healthy) return "the store failed and is being reopened";
  return std::nullopt;
}

admin::AdminHooks App::admin_hooks() {
  admin::AdminHooks hooks;
  hooks.version = ONCEPROXY_VERSION;
  hooks.state = [this] { return state_.load(); };
  hooks.options = [this] {
    return admin::NamedTexts{{"config_path", options_.config_file},
                             {"drain_time", std::to_string(options_.drain_time.count()) + "ms"}};
  };
  hooks.ready = [this] { return why_not_ready(); };
  hooks.listeners = [this] {
    admin::NamedTexts listeners;
    for (const std::string& address : server_->addresses()) listeners.emplace_back("data", address);
    if (telemetry_port_) listeners.emplace_back("telemetry", telemetry_port_->address());
    if (admin_port_) listeners.emplace_back("admin", admin_port_->address());
    return listeners;
  };
  hooks.set_log_level = [this](LogLevel level) {
    telemetry::set_log_level(level);
    access_log_.set_level(level);
  };
  hooks.fail_health_check = [this](bool fail) { failed_by_operator_ = fail; };
  hooks.drain_listeners = [this] {
    state_ = admin::ServerState::draining;
    server_->stop_listening();
  };
  hooks.quit = [] { ::kill(::getpid(), SIGTERM); };
  return hooks;
}

void App::start_admin_ports() {
  const auto at = [](const config::Address& address) {
    return admin::Endpoint{address.host, address.port, address.unix_path};
  };
  if (settings_.telemetry) {
    telemetry_port_ = std::make_unique<admin::Server>(at(*settings_.telemetry));
    admin::add_telemetry_endpoints(*telemetry_port_, metrics_, [this] { return why_not_ready(); });
    log_listening("telemetry", telemetry_port_->address());
  }
  if (settings_.admin) {
    admin_port_ = std::make_unique<admin::Server>(at(*settings_.admin));
    admin::add_admin_endpoints(*admin_port_, metrics_, admin_hooks());
    log_listening("admin", admin_port_->address());
  }
  if (telemetry_port_) telemetry_port_->start();
  if (admin_port_) admin_port_->start();
}

/// True: end; false: a signal that changes nothing.
bool App::wait_for_end(const sigset_t& signals) const {
  int signal = 0;
  if (::sigwait(&signals, &signal) != 0) return false;
  if (signal != SIGHUP) return true;
  telemetry::log(LogLevel::warn, "reload is not supported yet; restart to change the configuration",
                 {{"config", options_.config_file}});
  return false;
}

int App::serve(const sigset_t& signals) {
  const std::size_t workers = settings_.workers > 0 ? settings_.workers : usable_cores();
  server_ = std::make_unique<http::Server>(http_options(settings_), listen(), workers, *store_,
                                           clock_, metrics_, access_log_, rules_);
  start_admin_ports();
  server_->start();
  for (const std::string& address : server_->addresses()) log_listening("data", address);
  state_ = admin::ServerState::live;
  telemetry::log(LogLevel::info, "ready",
                 {{"workers", static_cast<std::int64_t>(workers)},
                  {"policies", static_cast<std::int64_t>(settings_.policies.size())},
                  {"upstream", settings_.upstream.address.text()},
                  {"store", settings_.store.path.native()}});
  while (!wait_for_end(signals)) continue;

  state_ = admin::ServerState::draining;
  telemetry::log(LogLevel::info, "draining",
                 {{"drain_time_ms", static_cast<std::int64_t>(options_.drain_time.count())}});
  if (!server_->drain(options_.drain_time)) {
    telemetry::log(LogLevel::warn, "drain time is over; what was under way has ended as unknown");
  }
  // Workers are gone: nobody calls the store any more, and it may flush and close.
  metrics_.store_gauges({});
  store_->close();
  if (admin_port_) admin_port_->stop();
  if (telemetry_port_) telemetry_port_->stop();
  telemetry::log(LogLevel::info, "stopped");
  return 0;
}

}  // namespace

int run(const config::Settings& settings, const RunOptions& options) {
  telemetry::set_up_log(log_level(settings.log.level), log_format(settings.log.format));
  const sigset_t signals = block_signals();
  raise_descriptor_limit();
  telemetry::log(LogLevel::info, "starting",
                 {{"version", ONCEPROXY_VERSION},
                  {"config", options.config_file},
                  {"pid", static_cast<std::int64_t>(::getpid())}});
  App app(settings, options);
  return app.serve(signals);
}

}  // namespace onceproxy
