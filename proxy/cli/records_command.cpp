// The options of `onceproxy records`.
#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/records.hpp"

namespace onceproxy::cli {
namespace {

CLI::App* add_action(CLI::App& parent, const std::string& name, const std::string& help,
                     const std::shared_ptr<RecordsArguments>& arguments, const Streams& streams,
                     int& exit_code) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_option("--admin", arguments->admin,
                      "The admin port: host:port or unix:/path (default 127.0.0.1:9901)");
  command->add_option("--token-file", arguments->token_file,
                      "A file with the admin port's bearer token");
  command->add_option("--ca", arguments->ca,
                      "Use TLS, and trust the authorities in this file, or `system`");
  command->add_option("--server-name", arguments->server_name,
                      "What the admin port's certificate is for (default the host of --admin)");
  command->add_option("--certificate", arguments->certificate,
                      "A file with the certificate to present if the port asks for one");
  command->add_option("--key", arguments->key, "A file with that certificate's private key");
  const auto format = std::make_shared<std::string>("text");
  command->add_option("--format", *format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer(
      "Exit code 0: done; 1: refused (no such record, its state forbids it, a bad argument);\n"
      "2: the admin port or a file cannot be reached.");
  command->callback([arguments, format, name, streams, &exit_code] {
    arguments->action = name;
    arguments->json = *format == "json";
    exit_code = records(*arguments, streams);
  });
  return command;
}

}  // namespace

void add_records(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* parent =
      app.add_subcommand("records", "Show the records of a running onceproxy, and change them");
  parent->require_subcommand(1);
  // CLI11 keeps references to what options write to; the callbacks keep it alive.
  const auto arguments = std::make_shared<RecordsArguments>();
  const auto add = [&](const std::string& name, const std::string& help) {
    return add_action(*parent, name, help, arguments, streams, exit_code);
  };
  CLI::App* list = add("list", "List records, in order of their fingerprints");
  list->add_option("--policy", arguments->policy, "Only records of this policy");
  list->add_option("--state", arguments->state, "Only reserved, completed or unknown ones")
      ->check(CLI::IsMember({"reserved", "completed", "unknown"}));
  list->add_option("--limit", arguments->limit, "At most this many; 0: all (default 50)");

  const auto add_one = [&](const std::string& name, const std::string& help) {
    CLI::App* command = add(name, help);
    command->add_option("FINGERPRINT", arguments->fingerprint, "64 hexadecimal digits")->required();
    return command;
  };
  add_one("show", "Show one record");
  const auto add_change = [&](const std::string& name, const std::string& help) {
    add_one(name, help)
        ->add_flag("--dry-run", arguments->dry_run,
                   "Show the record and whether the change would be possible; change nothing");
  };
  add_change("release",
             "Free a reserved or unknown record: the next request of the operation is forwarded");
  add_change("resolve", "Mark an unknown record completed: the operation was done");
  add_change("forget",
             "Remove a record that no request holds, as if the operation had never been requested");
}

}  // namespace onceproxy::cli
