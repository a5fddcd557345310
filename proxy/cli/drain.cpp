#include "proxy/cli/drain.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <ostream>
#include <thread>

#include "config/scalars.hpp"
#include "proxy/cli/table.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds look_interval{100};
/// A single question; the program may be busy.
constexpr milliseconds patience{5'000};

tl::expected<milliseconds, Ending> duration(const std::string& option, const std::string& text) {
  const auto parsed = config::parse_duration(text);
  if (!parsed) return tl::unexpected(Ending{exit_bad, option + ": " + parsed.error()});
  return *parsed;
}

struct Standing {
  bool drained;
  std::string connections;
};

tl::expected<Standing, Ending> standing(const AdminPort& port) {
  const auto body = port.ask("GET", "/server_info");
  if (!body) return tl::unexpected(body.error());
  const auto tree = JsonTree::parse(*body);
  if (!tree || tree->kind(0) != JsonTree::Kind::object || tree->member(0, "drained") == nullptr) {
    return tl::unexpected(Ending{
        exit_bad, "the answer of the admin port does not contain the progress of the drain"});
  }
  return Standing{field_text(*tree, 0, "drained") == "true", field_text(*tree, 0, "connections")};
}

tl::expected<void, Ending> wait_until_drained(const AdminPort& port,
                                              const DrainArguments& arguments, milliseconds timeout,
                                              const Streams& streams) {
  const auto deadline = steady_clock::now() + timeout;
  while (true) {
    const auto now = standing(port);
    if (!now) return tl::unexpected(now.error());
    if (now->drained) {
      streams.out << "drained\n";
      return {};
    }
    if (steady_clock::now() >= deadline) {
      return tl::unexpected(
          Ending{exit_bad, "not drained within " + arguments.timeout +
                               "; connections that are still open: " + now->connections});
    }
    std::this_thread::sleep_for(look_interval);
  }
}

/// The admin port, once readiness fails.
tl::expected<AdminPort, Ending> begin(const DrainArguments& arguments, const Streams& streams) {
  auto port = open_admin_beside(arguments, streams);
  if (!port) return port;
  port->patience(patience);
  if (const auto failed = port->ask("POST", "/healthcheck/fail"); !failed) {
    return tl::unexpected(failed.error());
  }
  return port;
}

tl::expected<void, Ending> run(const DrainArguments& arguments, const Streams& streams) {
  const auto grace = duration("--grace", arguments.grace);
  if (!grace) return tl::unexpected(grace.error());
  const auto timeout = duration("--timeout", arguments.timeout);
  if (!timeout) return tl::unexpected(timeout.error());
  const auto port = begin(arguments, streams);
  // Also if the admin port was not reached: SIGTERM follows this command, and clients still
  // connect.
  std::this_thread::sleep_for(*grace);
  if (!port) return tl::unexpected(port.error());
  if (const auto stopped = port->ask("POST", "/drain_listeners"); !stopped) {
    return tl::unexpected(stopped.error());
  }
  if (!arguments.wait) return {};
  return wait_until_drained(*port, arguments, *timeout, streams);
}

}  // namespace

int drain(const DrainArguments& arguments, const Streams& streams) {
  return finish(run(arguments, streams), streams) == exit_good ? exit_good : exit_bad;
}

void add_drain(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "drain", "Take a running onceproxy out of service, as before its container is stopped");
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  const auto arguments = std::make_shared<DrainArguments>();
  add_beside_options(*command, *arguments);
  command->add_flag("--wait", arguments->wait, "Return when nothing is under way any more");
  command
      ->add_option("--grace", arguments->grace,
                   "How long to accept connections after readiness fails, because\n"
                   "clients may still connect (default 5s)")
      ->type_name("DURATION");
  command
      ->add_option("--timeout", arguments->timeout,
                   "With --wait: how long what is under way may take after that (default 30s)")
      ->type_name("DURATION");
  command->footer(
      "It fails /ready, waits for --grace, stops accepting connections, and waits for what is "
      "under "
      "way.\n"
      "The program runs until SIGTERM, and /live stays 200. From the file given with -c only "
      "`admin`\n"
      "is read.\n"
      "Exit code 0: drained; 1: not in time, or, after --grace, the admin port cannot be reached.");
  command->callback([arguments, streams, &exit_code] { exit_code = drain(*arguments, streams); });
}

}  // namespace onceproxy::cli
