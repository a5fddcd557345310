#include "proxy/injector.hpp"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>

#include "config/scalars.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/admin/telemetry_endpoints.hpp"
#include "proxy/certificates.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/inject/audit.hpp"
#include "proxy/inject/review.hpp"
#include "proxy/main_loop.hpp"
#include "proxy/options.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/review_metrics.hpp"

namespace onceproxy {

namespace {

using std::chrono::milliseconds;
using telemetry::LogLevel;
using telemetry::ReviewResult;

constexpr int exit_failed = 3;
constexpr std::chrono::seconds look_interval{1};

/// An object of Kubernetes has 1.5 MiB at most; in a review it may stand twice.
constexpr std::size_t review_bytes_max = std::size_t{3} << 20;

struct Arguments {
  std::string listen = "0.0.0.0:8443";
  std::string certificate;
  std::string key;
  std::string log_format = "json";
  /// How long reviews are still answered after SIGTERM.
  std::string drain_time = "5s";
  std::string sidecar_grace = "5s";
  std::string sidecar_timeout = "15s";
  std::string sidecar_drain_time = "5s";
  inject::Options options;
};

ReviewResult result_of(inject::PodResult result) {
  switch (result) {
    case inject::PodResult::injected:
      return ReviewResult::injected;
    case inject::PodResult::unchanged:
      return ReviewResult::unchanged;
    case inject::PodResult::denied:
      break;
  }
  return ReviewResult::denied;
}

admin::Response reviewed(const admin::Request& request, const inject::Options& options,
                         telemetry::ReviewMetrics& metrics) {
  const auto answer = inject::review(request.body, options);
  if (!answer) {
    metrics.reviewed(ReviewResult::malformed);
    telemetry::log(
        LogLevel::error, "review refused",
        {{"peer", std::string_view(request.peer)}, {"error", std::string_view(answer.error())}});
    return {400, "text/plain; charset=utf-8", answer.error() + "\n"};
  }
  metrics.reviewed(result_of(answer->result));
  if (answer->result == inject::PodResult::denied) {
    telemetry::log(
        LogLevel::warn, "pod denied",
        {{"pod", std::string_view(answer->pod)}, {"error", std::string_view(answer->why)}});
  } else if (answer->result == inject::PodResult::injected) {
    telemetry::log(LogLevel::info, "sidecar injected", {{"pod", std::string_view(answer->pod)}});
  }
  return {200, "application/json", answer->body};
}

/// The port of the webhook, as the configuration of a port is written.
config::Settings settings_of(const Arguments& arguments, const io::Endpoint& address) {
  config::Settings settings;
  config::ListenSettings listen;
  static_cast<io::Endpoint&>(listen) = address;
  listen.tls.emplace();
  listen.tls->certificate = arguments.certificate;
  listen.tls->key = arguments.key;
  settings.listen.push_back(std::move(listen));
  return settings;
}

/// Until SIGTERM. Throws if it cannot start.
void serve(const Arguments& arguments, const io::Endpoint& address, milliseconds drain_time) {
  MainLoop loop;
  ::signal(SIGPIPE, SIG_IGN);
  telemetry::ReviewMetrics metrics(arguments.options.version);
  Certificates certificates(settings_of(arguments, address), metrics.tls());
  std::atomic<bool> draining = false;
  admin::Server server(
      address, admin::ServerTls{certificates.data(0), &metrics.tls(), telemetry::TlsPort::data});
  server.take_bodies(review_bytes_max);
  server.add("POST", "/inject", "review a pod", [&](const admin::Request& request) {
    return reviewed(request, arguments.options, metrics);
  });
  const auto ready = [&]() -> std::optional<std::string> {
    if (draining) return "draining";
    return std::nullopt;
  };
  server.add("GET", "/ready", "200 when ready for reviews, else 503",
             [ready](const auto&) { return admin::readiness_response(ready, {}); });
  server.add("GET", "/live", "200 while the process serves",
             [](const auto&) { return admin::liveness_response(); });
  server.add("GET", "/metrics", "metrics in the Prometheus text format", [&](const auto&) {
    return admin::Response{200, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition()};
  });
  server.start();
  telemetry::log(LogLevel::info, "listening",
                 {{"listener", "inject"}, {"address", std::string_view(server.address())}});
  telemetry::log(LogLevel::info, "ready",
                 {{"image", std::string_view(arguments.options.image)},
                  {"version", std::string_view(arguments.options.version)}});
  const auto look = [&] { certificates.look(); };
  loop.run({.reload = look, .repeated = {{look, look_interval}}});
  telemetry::log(LogLevel::info, "draining",
                 {{"drain_time_ms", static_cast<std::int64_t>(drain_time.count())}});
  draining = true;
  // The API server continues to call the webhook until the endpoint is gone, and creates no pod
  // without it.
  std::this_thread::sleep_for(drain_time);
  server.stop();
  telemetry::log(LogLevel::info, "stopped");
}

/// Into `out`, or the message that the command ends with.
template <typename Duration>
std::string read_duration(const char* option, const std::string& text, Duration& out) {
  const auto parsed = config::parse_duration(text);
  if (!parsed) return std::string(option) + ": " + parsed.error();
  out = std::chrono::duration_cast<Duration>(*parsed);
  return {};
}

int run(Arguments& arguments, const cli::Streams& streams) {
  const auto refuse = [&](const std::string& why) {
    streams.err << "onceproxy: " << why << "\n";
    return cli::exit_bad;
  };
  if (arguments.options.image.empty()) return refuse("--image is required: the sidecar's image");
  if (arguments.certificate.empty() || arguments.key.empty()) {
    return refuse(
        "--certificate and --key are required, because the API server connects only by TLS");
  }
  milliseconds drain_time{0};
  for (const std::string& wrong :
       {read_duration("--drain-time", arguments.drain_time, drain_time),
        read_duration("--sidecar-grace", arguments.sidecar_grace, arguments.options.drain_grace),
        read_duration("--sidecar-timeout", arguments.sidecar_timeout,
                      arguments.options.drain_timeout),
        read_duration("--sidecar-drain-time", arguments.sidecar_drain_time,
                      arguments.options.drain_time)}) {
    if (!wrong.empty()) return refuse(wrong);
  }
  const auto address = config::parse_address(arguments.listen);
  if (!address) return refuse("--listen: " + address.error());
  arguments.options.version = ONCEPROXY_VERSION;
  telemetry::set_up_log(LogLevel::info, arguments.log_format == "text"
                                            ? telemetry::LogFormat::text
                                            : telemetry::LogFormat::json);
  try {
    serve(arguments, *address, drain_time);
    return cli::exit_good;
  } catch (const std::exception& error) {
    telemetry::log(LogLevel::error, "cannot start", {{"error", error.what()}});
    return exit_failed;
  }
}

void print(const inject::Audited& found, bool json, std::ostream& out) {
  if (json) {
    telemetry::JsonArray pods;
    for (const inject::Unprotected& pod : found.unprotected) {
      pods.push_back(telemetry::JsonObject(
          {{"namespace", pod.name_space}, {"name", pod.name}, {"asks_by", pod.asks_by}}));
    }
    telemetry::JsonObject report;
    report["unprotected"] = std::move(pods);
    report["protected"] = found.protected_count;
    out << telemetry::json_text(report, 2) << "\n";
    return;
  }
  for (const inject::Unprotected& pod : found.unprotected) {
    out << pod.name_space << "/" << pod.name << ": no sidecar, though it has the " << pod.asks_by
        << "\n";
  }
  out << found.unprotected.size() << " pods without the sidecar that they request, "
      << found.protected_count << " with it\n";
}

int audit(const std::string& file, bool json, const cli::Streams& streams) {
  const auto text = cli::read_file(file, streams.in);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return cli::exit_unreadable;
  }
  const auto found = inject::audit(*text);
  if (!found) {
    streams.err << "onceproxy: " << found.error() << "\n";
    return cli::exit_unreadable;
  }
  print(*found, json, streams.out);
  return found->unprotected.empty() ? cli::exit_good : cli::exit_bad;
}

void add_audit(CLI::App& inject, const cli::Streams& streams, int& exit_code) {
  struct Given {
    std::string file = "-";
    std::string format = "text";
  };
  const auto given = std::make_shared<Given>();
  CLI::App* command =
      inject.add_subcommand("audit", "List pods that request the sidecar and do not have it");
  command->add_option("--file", given->file,
                      "What `kubectl get pods -A -o json` prints, in a file (default stdin)");
  command->add_option("--format", given->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer("Exit code 0: there are none; 1: there are some; 2: the list cannot be read.");
  command->callback([given, streams, &exit_code] {
    exit_code = audit(given->file, given->format == "json", streams);
  });
}

void add_sidecar_options(CLI::App& command, Arguments& arguments) {
  inject::Options& options = arguments.options;
  command.add_option("--image", options.image, "The sidecar's image");
  command.add_option("--pull-policy", options.pull_policy, "Its imagePullPolicy")
      ->check(CLI::IsMember({"Always", "IfNotPresent", "Never"}));
  command
      .add_option("--port", options.port,
                  "The port that onceproxy listens on, where the pod names none (default 8080)")
      ->check(CLI::Range(1, 65535).description(""));
  command.add_option("--config-key", options.config_key,
                     "The ConfigMap's key with the configuration (default onceproxy.yaml)");
  command.add_option("--cpu-request", options.cpu_request, "(default 50m)");
  command.add_option("--memory-request", options.memory_request, "(default 64Mi)");
  command.add_option("--memory-limit", options.memory_limit, "(default 512Mi)");
  command.add_option("--cpu-limit", options.cpu_limit, "(default none)");
  command
      .add_option("--sidecar-grace", arguments.sidecar_grace,
                  "How long a sidecar accepts connections while its pod ends (default 5s)")
      ->type_name("DURATION");
  command
      .add_option("--sidecar-timeout", arguments.sidecar_timeout,
                  "How long it then waits for requests under way (default 15s)")
      ->type_name("DURATION");
  command
      .add_option("--sidecar-drain-time", arguments.sidecar_drain_time,
                  "How long requests may take to end after SIGTERM (default 5s)")
      ->type_name("DURATION");
  command
      .add_option("--exclude", options.excluded,
                  "A namespace whose pods are not changed; may be repeated (default\n"
                  "kube-system, kube-public and kube-node-lease)")
      ->allow_extra_args(false);
}

}  // namespace

void add_inject(CLI::App& app, const cli::Streams& streams, int& exit_code) {
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "inject", "Serve the admission webhook that adds onceproxy to pods which request it");
  command->require_subcommand(0, 1);
  command->add_option("--listen", arguments->listen,
                      "The address for the API server: host:port (default 0.0.0.0:8443)");
  command->add_option("--certificate", arguments->certificate,
                      "A file with the certificate to present; a renewal needs no restart");
  command->add_option("--key", arguments->key, "A file with that certificate's private key");
  command
      ->add_option("--drain-time", arguments->drain_time,
                   "How long reviews are still answered after SIGTERM (default 5s)")
      ->type_name("DURATION");
  command->add_option("--log-format", arguments->log_format, "text or json (default json)")
      ->check(CLI::IsMember({"text", "json"}));
  add_sidecar_options(*command, *arguments);
  command->footer(
      "Answers POST /inject, and GET /ready, /live and /metrics.\n"
      "Exit code 0: stopped; 1: the arguments are not valid; 3: it cannot start.");
  add_audit(*command, streams, exit_code);
  command->callback([command, arguments, streams, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = run(*arguments, streams);
  });
}

}  // namespace onceproxy
