#include "proxy/app.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/admin_ports.hpp"
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
#include "proxy/program_state.hpp"
#include "proxy/rules_in_force.hpp"
#include "proxy/service_manager.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/store_clock.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;

/// How often the configuration file is checked for changes.
constexpr std::chrono::seconds look_interval{1};

/// A worker that has made no round for this time counts as hanging, even if the watchdog's interval
/// is shorter.
constexpr std::chrono::milliseconds hang_min{1'000};

/// After the drain time: the time for aborted requests to end, and for the store to flush and
/// close.
constexpr std::chrono::seconds end_time{10};

/// A connection uses up to two descriptors, and the soft limit is often far below the hard one.
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
        state_(*store_),
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
  std::size_t workers() const { return settings_.workers > 0 ? settings_.workers : usable_cores(); }
  http::SideListener envoy_listener(const http::Options& options);
  AdminPorts::Parts admin_parts();
  telemetry::SlotsInUse slots_in_use() const;

  /// Destroyed last, because it watches how the rest ends.
  std::optional<ForcedEnd> forced_end_;
  Configuration& configuration_;
  /// The settings with which the program started; keys that cannot change at run time are read
  /// here.
  const config::Settings& settings_;
  const RunOptions& options_;
  store::StoreClock clock_;
  telemetry::Metrics metrics_;
  telemetry::AccessLog access_log_;
  /// nullptr if tracing is off.
  const std::unique_ptr<telemetry::Tracer> tracer_;
  telemetry::Capture capture_;
  Certificates certificates_;
  const std::unique_ptr<OpenedStore> store_;
  ProgramState state_;
  /// Only for an embedded store; a database has its own backups.
  std::optional<Backups> backups_;
  RulesInForce rules_;
  /// Must be destroyed after the workers whose ports share it.
  std::optional<ext_proc::Service::Shared> envoy_;
  std::unique_ptr<http::Server> server_;
  /// Absent if the store has no ledger.
  std::optional<Deliveries> deliveries_;
  std::optional<AdminPorts> admin_ports_;
  ServiceManager manager_;
  bool was_alive_ = true;
};

/// Applies all keys that can change at run time, or none if the capture's file or the upstream's
/// address cannot be used. In the latter case a new capture has already begun.
void App::apply(const config::Settings& settings) {
  const std::shared_ptr<gate::Rules> next = rules_.next(settings.policies);
  capture_.configure(settings.log.capture);
  const http::Options options = http_options(settings, certificates_.prepare_upstream(settings),
                                             certificates_.identify_clients());
  // The deliveries come before the data port: an event that it accepts must find its listeners.
  if (deliveries_) deliveries_->configure(next, options);
  // Nothing fails from here on.
  next->take_effect();
  if (store_->verbs().ledger() != nullptr) store_->verbs().ledger()->limit(settings.store.ledger);
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

AdminPorts::Parts App::admin_parts() {
  return {settings_,
          options_,
          workers(),
          configuration_,
          metrics_,
          access_log_,
          certificates_,
          *store_,
          clock_,
          rules_,
          *server_,
          state_,
          backups_ ? &*backups_ : nullptr,
          deliveries_ ? &*deliveries_ : nullptr};
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
    manager_.status(state_.why_not_ready().value_or("ready"));
  };
  tasks.repeated.push_back({look, look_interval});
  if (manager_.ping_interval().count() > 0) {
    tasks.repeated.push_back({[this] { ping(); }, manager_.ping_interval()});
  }
  return tasks;
}

/// systemd restarts the program if it gets no notification, so it gets none while a worker hangs.
void App::ping() {
  const auto since = std::chrono::steady_clock::now() -
                     std::max<std::chrono::milliseconds>(manager_.ping_interval(), hang_min);
  const bool alive = server_->alive_since(since);
  if (alive) manager_.ping();
  if (alive != was_alive_) {
    telemetry::log(alive ? LogLevel::info : LogLevel::error,
                   alive ? "every worker is alive again"
                         : "a worker hangs; the watchdog is not notified, so systemd will restart "
                           "the program unless the worker continues");
  }
  was_alive_ = alive;
}

void App::drain() {
  forced_end_.emplace(options_.drain_time + end_time);
  state_.draining();
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
  return {*settings_.envoy,
          [this](const http::SidePortParts& parts) {
            return std::make_unique<ext_proc::Service>(*envoy_, parts);
          },
          ext_proc::Service::message_bytes_max(options)};
}

int App::serve(MainLoop& loop) {
  if (store_->verbs().ledger() != nullptr) {
    deliveries_.emplace(store_->verbs(), clock_, metrics_, tracer_.get(), certificates_);
  }
  const http::Options options =
      http_options(settings_, certificates_.upstream(), certificates_.identify_clients());
  server_ = std::make_unique<http::Server>(
      options, data_listeners(settings_, certificates_), workers(), store_->verbs(), clock_,
      metrics_, access_log_, rules_.get(), tracer_.get(), &capture_,
      deliveries_ ? &deliveries_->acknowledger() : nullptr, envoy_listener(options));
  if (deliveries_) deliveries_->start(server_->upstream_share(), rules_.get(), options);
  admin_ports_.emplace(admin_parts());
  server_->start();
  for (const std::string& address : server_->addresses()) log_listening("data", address);
  if (!server_->side_address().empty()) log_listening("envoy", server_->side_address());
  metrics_.slots_in_use([this] { return slots_in_use(); });
  metrics_.leases([this] { return rules_.leases(); });
  state_.started();
  telemetry::log(LogLevel::info, "ready",
                 {{"workers", static_cast<std::int64_t>(workers())},
                  {"policies", static_cast<std::int64_t>(settings_.policies.size())},
                  {"upstream", settings_.upstream.address.text()},
                  {"store", store_->place()}});
  manager_.ready();
  loop.run(tasks());
  drain();
  // The workers have ended, so nothing calls the store any more, and it may flush and close.
  metrics_.store_gauges({});
  metrics_.slots_in_use({});
  metrics_.leases({});
  metrics_.deliveries({});
  rules_.keep_estimates();
  if (backups_) backups_->stop();
  store_->close();
  admin_ports_->stop();
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
