// The settings of a configuration file for the commands that work on its store.
#pragma once

#include <ostream>
#include <string>
#include <tl/expected.hpp>

#include "config/load.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {

/// Or the exit code, after every problem was printed to `streams.err`.
inline tl::expected<config::Settings, int> read_settings(const std::string& file,
                                                         const Streams& streams) {
  const auto text = read_file(file, streams.in);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return tl::unexpected(exit_unreadable);
  }
  auto settings = config::load(*text, file, config::process_environment());
  if (settings) return *std::move(settings);
  for (const config::Problem& problem : settings.error()) streams.err << problem.text() << "\n";
  return tl::unexpected(exit_bad);
}

}  // namespace onceproxy::cli
