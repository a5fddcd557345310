// The ports that a configuration names, for commands that run beside the program, as the probes and
// hooks of a container do: what to connect to, and with which token. Private to this folder.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "config/ports.hpp"
#include "config/settings.hpp"
#include "proxy/cli/admin_port.hpp"

namespace onceproxy::cli {

/// Where a command that runs beside the program finds it: the addresses given, or the configuration
/// that the program runs with.
struct BesideArguments : AdminArguments {
  BesideArguments() { admin.clear(); }
  /// The configuration; empty: none was given.
  std::string config;
};

/// -c and the options of the admin port. `arguments` must outlive the parsing.
void add_beside_options(CLI::App& command, BesideArguments& arguments);

/// The configuration that was given, checked as at a start. Its problems go to `err`.
tl::expected<config::Settings, Ending> settings_beside(const BesideArguments& arguments,
                                                       const Streams& streams);

/// Its ports alone; whatever else is wrong in it does not matter. The program that runs may have
/// refused this file, or be older than it.
tl::expected<config::Ports, Ending> ports_beside(const BesideArguments& arguments,
                                                 const Streams& streams);

/// How to reach a port that listens at `listen`, from this machine: an address that stands for all
/// is its loopback address. TLS needs the --ca that was given.
tl::expected<AdminArguments, Ending> reach(const config::ListenSettings& listen,
                                           const AdminArguments& given);

/// The admin port: --admin, or the configuration's with its token, or 127.0.0.1:9901.
tl::expected<AdminPort, Ending> open_admin_beside(const BesideArguments& arguments,
                                                  const Streams& streams);

}  // namespace onceproxy::cli
