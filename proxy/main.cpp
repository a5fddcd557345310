// The command line: `run`, and the commands of proxy/cli. See the README and `onceproxy --help`.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "config/load.hpp"
#include "proxy/app.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/suggestion.hpp"
#include "proxy/injector.hpp"
#include "proxy/run_command.hpp"
#include "proxy/start_failure.hpp"
#include "proxy/telemetry/log.hpp"

namespace {

/// The configuration is good, but the program cannot start with it.
constexpr int exit_failed = 3;

/// SIGHUP asks for a reload. Until the program waits for it, it must not end the program, as it
/// would by default: it stays pending from the first moment on, and is obeyed when the start is
/// over. Returns the signals that were blocked before.
sigset_t hold_back_sighup() {
  sigset_t hangup;
  sigset_t before;
  ::sigemptyset(&hangup);
  ::sigaddset(&hangup, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &hangup, &before);
  return before;
}

int serve(const onceproxy::RunOptions& options) {
  auto text = onceproxy::cli::read_file(options.config_file);
  if (!text) {
    onceproxy::tell_failure({}, text.error());
    return onceproxy::cli::exit_unreadable;
  }
  auto settings =
      onceproxy::config::load(*text, options.config_file, onceproxy::config::process_environment());
  if (!settings) {
    onceproxy::tell_failure(*text, settings.error());
    return onceproxy::cli::exit_bad;
  }
  options.overrides.apply_to(*settings);
  // The store holds answers, and its files are for this user only. The umask alone reaches every
  // file that RocksDB creates; what an earlier version left is tightened as the store opens it.
  ::umask(S_IRWXG | S_IRWXO);
  onceproxy::telemetry::set_up_log(settings->log.level, settings->log.format);
  try {
    onceproxy::Configuration configuration(options.config_file, *std::move(text),
                                           *std::move(settings), options.overrides);
    return onceproxy::run(configuration, options);
  } catch (const std::exception& error) {
    onceproxy::telemetry::log(onceproxy::telemetry::LogLevel::error, "cannot start",
                              {{"error", error.what()}});
    return exit_failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const sigset_t signals_before = hold_back_sighup();
  CLI::App app("onceproxy lets each operation through to a legacy service once.", "onceproxy");
  app.set_version_flag("--version", "onceproxy " ONCEPROXY_VERSION);
  app.require_subcommand(0, 1);
  app.footer("onceproxy COMMAND --help describes each command; the manual is onceproxy(1).");

  onceproxy::RunCommand command;
  command.add_to(app);
  CLI::App* const run = app.add_subcommand("run", "Serve; the default with -c and no command");
  command.add_to(*run)->required();

  int exit_code = onceproxy::cli::exit_good;
  const onceproxy::cli::Streams streams{std::cin, std::cout, std::cerr, isatty(STDERR_FILENO) == 1};
  onceproxy::cli::add_commands(app, streams, exit_code);
  onceproxy::add_inject(app, streams, exit_code);
  // The other commands end with their terminal, as any command does.
  app.parse_complete_callback([&] {
    if (app.get_subcommands().empty() || run->parsed()) return;
    ::pthread_sigmask(SIG_SETMASK, &signals_before, nullptr);
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version end here as well, with 0.
    if (app.exit(error) == 0) return onceproxy::cli::exit_good;
    const std::string meant = onceproxy::cli::suggestion(app, {argv + 1, argv + argc});
    if (!meant.empty()) std::cerr << "Did you mean \"" << meant << "\"?\n";
    return onceproxy::cli::exit_bad;
  }

  const bool other_command = !app.get_subcommands().empty() && !run->parsed();
  if (other_command) return exit_code;
  if (const auto wrong = command.read()) {
    std::cerr << "onceproxy: " << *wrong << "\n";
    return onceproxy::cli::exit_bad;
  }
  if (command.options().config_file.empty()) {
    std::cout << app.help();
    return onceproxy::cli::exit_bad;
  }
  if (command.validates()) return command.validate(std::cin, std::cout, std::cerr);
  return serve(command.options());
}
