#include "proxy/cli/backup.hpp"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <ostream>
#include <thread>

#include "config/load.hpp"
#include "policies/percent.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/table.hpp"
#include "store/rocksdb/ownership.hpp"
#include "store/rocksdb/restore.hpp"
#include "store/rocksdb/rocksdb_store.hpp"
#include "store/store_clock.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

constexpr std::chrono::milliseconds look_interval{100};

tl::unexpected<Ending> refused(std::string why) {
  return tl::unexpected(Ending{exit_bad, std::move(why)});
}

void tell(const Streams& streams, const std::string& what, const std::string& directory,
          const std::string& files, const std::string& bytes) {
  streams.out << what << " " << directory << ": " << files << " files, " << bytes << " bytes\n";
}

tl::expected<void, Ending> back_up_running(const BackupArguments& arguments,
                                           const std::string& directory, const Streams& streams) {
  const auto port = open_admin_beside(arguments, streams);
  if (!port) return tl::unexpected(port.error());
  const auto begun = port->send("POST", "/backup?directory=" + policies::encode_percent(directory));
  if (!begun) return tl::unexpected(begun.error());
  if (begun->status != 202) {
    const auto tree = JsonTree::parse(begun->body);
    const bool told = tree && tree->kind(0) == JsonTree::Kind::object;
    const std::string why = told ? field_text(*tree, 0, "error") : begun->body;
    return refused(why.empty() ? "the admin port answered " + std::to_string(begun->status) : why);
  }
  while (true) {
    const auto body = port->ask("GET", "/backup");
    if (!body) return tl::unexpected(body.error());
    const auto tree = JsonTree::parse(*body);
    if (!tree || tree->kind(0) != JsonTree::Kind::object) {
      return refused("the admin port's answer is not an object");
    }
    const std::string state = field_text(*tree, 0, "state");
    if (state == "failed") return refused(field_text(*tree, 0, "error"));
    if (state == "done") {
      tell(streams, "backup in", directory, field_text(*tree, 0, "files"),
           field_text(*tree, 0, "bytes"));
      return {};
    }
    std::this_thread::sleep_for(look_interval);
  }
}

/// What is read and written from here on is for this user alone.
tl::expected<config::Settings, Ending> settings_for_store(const std::string& config,
                                                          const Streams& streams) {
  ::umask(S_IRWXG | S_IRWXO);
  BesideArguments beside;
  beside.config = config;
  auto settings = settings_beside(beside, streams);
  if (settings && settings->postgres) {
    return refused("the store is a database, which PostgreSQL's own tools back up and restore");
  }
  return settings;
}

tl::expected<void, Ending> back_up_stopped(const BackupArguments& arguments,
                                           const std::string& directory, const Streams& streams) {
  if (arguments.config.empty()) return refused("--offline needs -c FILE, which names the store");
  const auto settings = settings_for_store(arguments.config, streams);
  if (!settings) return tl::unexpected(settings.error());
  if (!std::filesystem::exists(settings->store.path)) {
    return refused("store " + settings->store.path.string() + ": there is none");
  }
  try {
    store::RocksDbOptions options = settings->store;
    // What is in it is copied; nothing happens that it should tell.
    options.audit.enabled = false;
    store::StoreClock clock;
    const store::GivenToOwner given(options.path);
    const auto store = store::RocksDbStore::open(options, clock, {});
    const std::atomic<bool> never = false;
    const store::BackupContents contents = store->back_up(directory, never);
    store->close();
    tell(streams, "backup in", directory, std::to_string(contents.files.size()),
         std::to_string(contents.bytes()));
    return {};
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

}  // namespace

int backup(const BackupArguments& arguments, const Streams& streams) {
  const std::string directory = std::filesystem::absolute(arguments.directory).lexically_normal();
  return finish(arguments.offline ? back_up_stopped(arguments, directory, streams)
                                  : back_up_running(arguments, directory, streams),
                streams);
}

int restore(const RestoreArguments& arguments, const Streams& streams) {
  const auto settings = settings_for_store(arguments.config, streams);
  if (!settings) return finish(tl::unexpected(settings.error()), streams);
  try {
    const store::BackupContents contents = store::restore(
        std::filesystem::absolute(arguments.directory), settings->store.path, arguments.force);
    tell(streams, "restored", settings->store.path.string(), std::to_string(contents.files.size()),
         std::to_string(contents.bytes()));
    streams.out << "Operations that completed after the backup are forgotten; see "
                   "onceproxy(1).\n";
    return exit_good;
  } catch (const std::exception& error) {
    return finish(refused(error.what()), streams);
  }
}

void add_backup(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "backup", "Make a backup of the store in a new directory, also while onceproxy runs");
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  const auto arguments = std::make_shared<BackupArguments>();
  command
      ->add_option(
          "DIR", arguments->directory,
          "A new directory on the machine of the running onceproxy; on the file system of\n"
          "the store it takes no space at first")
      ->type_name("")
      ->required();
  add_beside_options(*command, *arguments);
  command->add_flag("--offline", arguments->offline,
                    "Make a backup of the store in -c, while no onceproxy uses it");
  command->footer(
      "Exit code 0: made; 1: refused or failed; 2: the admin port or a file cannot be reached.");
  command->callback([arguments, streams, &exit_code] { exit_code = backup(*arguments, streams); });
}

void add_restore(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* command = app.add_subcommand("restore", "Restore a backup");
  const auto arguments = std::make_shared<RestoreArguments>();
  command->add_option("DIR", arguments->directory, "The directory of the backup")
      ->type_name("")
      ->required();
  command
      ->add_option("-c,--config", arguments->config,
                   "The configuration with the path of the store (YAML)")
      ->type_name("FILE")
      ->required();
  command->add_flag("--force", arguments->force, "Replace an existing store; its records are lost");
  command->footer(
      "No onceproxy may use the store. Operations that completed after the backup are "
      "forgotten:\ntheir requests would be forwarded again.\n"
      "Exit code 0: restored; 1: refused or failed; 2: the configuration cannot be read.");
  command->callback([arguments, streams, &exit_code] { exit_code = restore(*arguments, streams); });
}

}  // namespace onceproxy::cli
