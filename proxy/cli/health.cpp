#include "proxy/cli/health.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "config/scalars.hpp"

namespace onceproxy::cli {
namespace {

/// The telemetry port asks for no token, and is served while the admin port works for operators.
tl::expected<AdminPort, Ending> open_port(const HealthArguments& arguments,
                                          const Streams& streams) {
  AdminArguments out = arguments;
  if (!arguments.telemetry.empty()) {
    out.admin = arguments.telemetry;
    return AdminPort::open(out);
  }
  if (arguments.config.empty()) return open_admin_beside(arguments, streams);
  const auto ports = ports_beside(arguments, streams);
  if (!ports) return tl::unexpected(ports.error());
  if (!ports->telemetry && !ports->admin) {
    return tl::unexpected(
        Ending{exit_bad, arguments.config + ": it has no port to ask: set telemetry.listen"});
  }
  const bool telemetry = ports->telemetry.has_value();
  auto reached = reach(telemetry ? *ports->telemetry : *ports->admin, arguments);
  if (!reached) return tl::unexpected(reached.error());
  const std::string& reading = ports->admin_read_token_file;
  if (!telemetry && reached->token_file.empty()) {
    reached->token_file = reading.empty() ? ports->admin_token_file : reading;
  }
  return AdminPort::open(*reached);
}

tl::expected<void, Ending> ask(const HealthArguments& arguments, const Streams& streams) {
  const auto timeout = config::parse_duration(arguments.timeout);
  if (!timeout) return tl::unexpected(Ending{exit_bad, "--timeout: " + timeout.error()});
  auto port = open_port(arguments, streams);
  if (!port) return tl::unexpected(port.error());
  port->patience(*timeout);
  const auto answer = port->send("GET", arguments.live ? "/live" : "/ready");
  if (!answer) return tl::unexpected(answer.error());
  std::string body = answer->body;
  body.erase(body.find_last_not_of('\n') + 1);
  if (answer->status == 200) {
    streams.out << body << "\n";
    return {};
  }
  const std::string status = answer->status == 503 ? "" : std::to_string(answer->status) + ": ";
  return tl::unexpected(Ending{exit_bad, "not ready: " + status + body});
}

}  // namespace

int health(const HealthArguments& arguments, const Streams& streams) {
  // One code for all that is not well: a probe knows only two.
  return finish(ask(arguments, streams), streams) == exit_good ? exit_good : exit_bad;
}

void add_health(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("health", "Ask a running onceproxy whether it is ready, for probes");
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  const auto arguments = std::make_shared<HealthArguments>();
  add_beside_options(*command, *arguments);
  command
      ->add_option("--telemetry", arguments->telemetry,
                   "Ask the telemetry port instead: host:port or unix:/path")
      ->excludes("--admin", "--config");
  command->add_flag("--live", arguments->live,
                    "Ask whether it is alive, which it is while it drains too");
  command->add_option("--timeout", arguments->timeout, "How long the answer may take (default 1s)")
      ->type_name("DURATION");
  command->footer(
      "With -c the telemetry port is asked, or the admin port if there is no other; nothing "
      "else\n"
      "of the file is read. A liveness probe should name the port by --telemetry: a changed\n"
      "file must not cause a restart of a working program.\n"
      "Exit code 0: ready; 1: not ready, or no answer in time.");
  command->callback([arguments, streams, &exit_code] { exit_code = health(*arguments, streams); });
}

}  // namespace onceproxy::cli
