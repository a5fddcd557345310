#include "proxy/cli/entities.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <ostream>

#include "policies/percent.hpp"
#include "proxy/cli/audit.hpp"
#include "proxy/cli/table.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

constexpr std::array<std::string_view, 8> field_order{
    "type", "id", "closed", "closed_until", "sequence", "holder", "waiting", "expires"};

std::string target_of(const EntitiesArguments& arguments) {
  std::string target = "/entities/" + policies::encode_percent(arguments.type);
  for (const std::string& part : arguments.id) target += "/" + policies::encode_percent(part);
  return target;
}

std::string name_of(const EntitiesArguments& arguments) {
  std::string name = arguments.type;
  for (const std::string& part : arguments.id) name.append("/").append(part);
  return name;
}

/// What is known of it now. That nothing is, is an answer: its history may tell more.
tl::expected<void, Ending> print_entity(const AdminPort& port, const EntitiesArguments& arguments,
                                        const Streams& streams) {
  const auto body = port.ask("GET", target_of(arguments));
  if (!body && body.error().code != exit_bad) return tl::unexpected(body.error());
  if (!body) {
    streams.err << name_of(arguments) << ": " << body.error().why << " now\n";
    return {};
  }
  const auto tree = JsonTree::parse(*body);
  if (arguments.json || !tree) {
    streams.out << *body;
  } else {
    print_fields(*tree, 0, field_order, streams.out);
  }
  return {};
}

tl::expected<void, Ending> show(const AdminPort& port, const EntitiesArguments& arguments,
                                const Streams& streams) {
  auto shown = print_entity(port, arguments, streams);
  if (!shown) return shown;
  if (!arguments.json) streams.out << "\n";
  AuditArguments history;
  history.json = arguments.json;
  history.entity = name_of(arguments);
  history.limit = arguments.limit;
  const auto printed = print_audit(port, history, streams);
  if (printed || printed.error().code != exit_bad) return printed;
  streams.err << "no history: " << printed.error().why << "\n";
  return {};
}

tl::expected<void, Ending> open_it(const AdminPort& port, const EntitiesArguments& arguments,
                                   const Streams& streams) {
  const auto body = port.ask("POST", target_of(arguments) + "/open");
  if (!body) return tl::unexpected(body.error());
  if (arguments.json) {
    streams.out << *body;
  } else {
    streams.out << name_of(arguments) << ": opened\n";
  }
  return {};
}

}  // namespace

int entities(const EntitiesArguments& arguments, const Streams& streams) {
  const auto port = AdminPort::open(arguments);
  if (!port) return finish(tl::unexpected(port.error()), streams);
  const bool shows = arguments.action == "show";
  return finish(shows ? show(*port, arguments, streams) : open_it(*port, arguments, streams),
                streams);
}

void add_entities(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* parent =
      app.add_subcommand("entities", "Show or reopen an entity of a running onceproxy");
  parent->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& help) {
    // CLI11 keeps references to what options write to; the callback keeps it alive.
    const auto arguments = std::make_shared<EntitiesArguments>();
    arguments->action = name;
    CLI::App* command = parent->add_subcommand(name, help);
    add_admin_options(*command, *arguments, exit_code,
                      [arguments, streams] { return entities(*arguments, streams); });
    command->add_option("TYPE", arguments->type, "The entity's type, as policies name it")
        ->required();
    command->add_option("ID", arguments->id, "The parts of its id")->required();
    return std::pair<CLI::App&, EntitiesArguments&>(*command, *arguments);
  };
  const auto [show, arguments] = add("show", "Show what is known of an entity, and its history");
  show.add_option("--limit", arguments.limit,
                  "The largest number of entries of its history; 0: all (default 20)");
  add("open", "Reopen a closed entity");
}

}  // namespace onceproxy::cli
