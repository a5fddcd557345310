#include "proxy/cli/port_of_config.hpp"

#include <CLI/CLI.hpp>
#include <ostream>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {
namespace {

io::Endpoint local(io::Endpoint address) {
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return address;
}

}  // namespace

void add_beside_options(CLI::App& command, BesideArguments& arguments) {
  auto* const config =
      command
          .add_option("-c,--config", arguments.config,
                      "The configuration that onceproxy runs with, which names its ports (YAML)")
          ->type_name("FILE");
  add_port_options(command, arguments);
  config->excludes(command.get_option("--admin"));
}

namespace {

template <typename Loaded>
tl::expected<Loaded, Ending> loaded(tl::expected<Loaded, std::vector<config::Problem>> made,
                                    const Streams& streams) {
  if (made) return *std::move(made);
  for (const config::Problem& problem : made.error()) streams.err << problem.text() << "\n";
  return tl::unexpected(Ending{exit_bad, ""});
}

}  // namespace

tl::expected<config::Settings, Ending> settings_beside(const BesideArguments& arguments,
                                                       const Streams& streams) {
  const auto text = read_file(arguments.config, streams.in);
  if (!text) return tl::unexpected(Ending{exit_unreadable, text.error()});
  return loaded(config::load(*text, arguments.config, config::process_environment()), streams);
}

tl::expected<config::Ports, Ending> ports_beside(const BesideArguments& arguments,
                                                 const Streams& streams) {
  const auto text = read_file(arguments.config, streams.in);
  if (!text) return tl::unexpected(Ending{exit_unreadable, text.error()});
  return loaded(config::load_ports(*text, arguments.config, config::process_environment()),
                streams);
}

tl::expected<AdminArguments, Ending> reach(const config::ListenSettings& listen,
                                           const AdminArguments& given) {
  AdminArguments out = given;
  out.admin = local(listen).text();
  if (listen.unix_path.empty() && listen.port == 0) {
    return tl::unexpected(
        Ending{exit_bad, listen.text() + ": the system chooses this port at each start; name it"});
  }
  if (listen.tls && given.ca.empty()) {
    return tl::unexpected(Ending{exit_bad, listen.text() + " speaks TLS: give --ca FILE, and " +
                                               "--server-name with a name of its certificate"});
  }
  return out;
}

tl::expected<AdminPort, Ending> open_admin_beside(const BesideArguments& arguments,
                                                  const Streams& streams) {
  AdminArguments out = arguments;
  if (!arguments.config.empty()) {
    const auto ports = ports_beside(arguments, streams);
    if (!ports) return tl::unexpected(ports.error());
    if (!ports->admin) {
      return tl::unexpected(
          Ending{exit_bad, arguments.config + ": it has no admin port: set " + "admin.listen"});
    }
    auto reached = reach(*ports->admin, arguments);
    if (!reached) return tl::unexpected(reached.error());
    out = *std::move(reached);
    if (out.token_file.empty()) out.token_file = ports->admin_token_file;
  } else if (out.admin.empty()) {
    out.admin = AdminArguments().admin;
  }
  return AdminPort::open(out);
}

}  // namespace onceproxy::cli
