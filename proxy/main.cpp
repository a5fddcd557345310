// The command line: see the README and `onceproxy --help`.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "config/load.hpp"
#include "proxy/app.hpp"

namespace {

constexpr int exit_bad_config = 1;
constexpr int exit_unreadable = 2;
constexpr int exit_failed = 3;

int serve(const onceproxy::RunOptions& options) {
  std::ifstream file(options.config_file, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    std::cerr << "onceproxy: cannot read " << options.config_file << "\n";
    return exit_unreadable;
  }
  const auto settings = onceproxy::config::load(text.str(), options.config_file,
                                                onceproxy::config::process_environment());
  if (!settings) {
    for (const auto& problem : settings.error()) std::cerr << problem.text() << "\n";
    return exit_bad_config;
  }
  try {
    return onceproxy::run(*settings, options);
  } catch (const std::exception& error) {
    std::cerr << "onceproxy: " << error.what() << "\n";
    return exit_failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("onceproxy: a sidecar that lets each request through once");
  app.set_version_flag("--version", "onceproxy " ONCEPROXY_VERSION);
  onceproxy::RunOptions options;
  app.add_option("-c,--config", options.config_file, "Configuration file (YAML)");
  CLI11_PARSE(app, argc, argv);
  return serve(options);
}
