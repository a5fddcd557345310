// The options of `onceproxy store`.
#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/store.hpp"

namespace onceproxy::cli {
namespace {

CLI::Option* add_config(CLI::App& command, std::string& file, const std::string& help) {
  return command.add_option("-c,--config", file, help)->type_name("FILE")->required();
}

// CLI11 keeps references to what options write to; the callbacks keep it alive.

void add_migrate(CLI::App& parent, const Streams& streams, int& exit_code) {
  const auto arguments = std::make_shared<StoreMigrateArguments>();
  CLI::App* command = parent.add_subcommand(
      "migrate", "Bring the schema of store.postgres up to date for this version");
  add_config(*command, arguments->config, "Configuration file (YAML)");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Print the statements that would run; change nothing");
  command->footer(
      "Run it before onceproxy is started or upgraded; a schema that is up to date stays as it "
      "is.\n"
      "Exit code 0: up to date; 1: the configuration is not valid, or the database refuses; 2: the "
      "file cannot be read.");
  command->callback(
      [arguments, streams, &exit_code] { exit_code = store_migrate(*arguments, streams); });
}

void add_move(CLI::App& parent, const Streams& streams, int& exit_code) {
  const auto arguments = std::make_shared<StoreMoveArguments>();
  CLI::App* command = parent.add_subcommand(
      "move", "Copy live records from RocksDB to PostgreSQL, or back, while no onceproxy runs");
  add_config(*command, arguments->config, "The configuration with the store to read");
  command
      ->add_option("--to", arguments->to,
                   "A configuration with the destination, which is empty or contains only what\n"
                   "an interrupted run has copied")
      ->type_name("FILE")
      ->required();
  command->add_flag("--dry-run", arguments->dry_run, "Count what would be copied; write nothing");
  command->add_flag("--forget-earlier", arguments->forget_earlier,
                    "Copy also operations from before an upgrade that changed their fingerprints.\n"
                    "With PostgreSQL their duplicates are forwarded again");
  command->footer(
      "Operations, entities and rate limits keep their windows, leases and fences. The source is "
      "not\nchanged, and the audit log is not copied. Run it as the user that runs onceproxy.\n"
      "Exit code 0: done; 1: a configuration is not valid, a store is in use, or the destination "
      "has\nother records, or operations would be forgotten (--forget-earlier); 2: a file cannot "
      "be read.");
  command->callback(
      [arguments, streams, &exit_code] { exit_code = store_move(*arguments, streams); });
}

}  // namespace

void add_store(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* parent = app.add_subcommand(
      "store", "Prepare the database of a shared store, or copy records between stores");
  parent->require_subcommand(1);
  add_migrate(*parent, streams, exit_code);
  add_move(*parent, streams, exit_code);
}

}  // namespace onceproxy::cli
