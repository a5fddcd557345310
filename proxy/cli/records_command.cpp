// The options of `onceproxy records`.
#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/records.hpp"

namespace onceproxy::cli {
namespace {

void add_list(CLI::App& list, RecordsArguments& arguments) {
  list.add_option("--policy", arguments.policy, "Only records of this policy");
  list.add_option("--state", arguments.state,
                  "Only records in this state: reserved, completed or unknown")
      ->check(CLI::IsMember({"reserved", "completed", "unknown"}));
  list.add_option("--entity", arguments.entity, "Only records of this entity: type/id");
  list.add_option("--path", arguments.path,
                  "Only records of this path; with * at the end, of all paths that begin like it");
  list.add_option("--older-than", arguments.older_than,
                  "Only records that were created at least this long ago: 5m, 1h");
  list.add_option("--limit", arguments.limit, "The largest number of items; 0: all (default 50)");
}

void add_show(CLI::App& show, RecordsArguments& arguments) {
  auto* const request = show.add_option(
      "--request", arguments.request,
      "Show the record of this request's operation: a raw HTTP message in a file, or -");
  auto* const config =
      show.add_option("-c,--config", arguments.config, "With --request: the configuration (YAML)")
          ->type_name("FILE");
  show.add_option("--client-certificate", arguments.client_certificate,
                  "With --request: a file with the certificate that the client presents (PEM)")
      ->needs(request);
  request->needs(config);
  config->needs(request);
}

void add_answer(CLI::App& resolve, RecordsArguments& arguments) {
  resolve
      .add_option("--status", arguments.status,
                  "Give duplicates an answer with this status, 200 to 599")
      ->check(CLI::Range(200, 599).description(""));
  resolve.add_option("--body", arguments.body, "With --status: the answer's body, a file or -");
  resolve
      .add_option("--header", arguments.headers,
                  "With --status: one of the answer's fields, 'Name: value'; may be repeated")
      ->allow_extra_args(false);
}

}  // namespace

void add_records(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* parent =
      app.add_subcommand("records", "Show the records of a running onceproxy, and change them");
  parent->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& help) {
    // CLI11 keeps references to what options write to; the callback keeps it alive.
    const auto arguments = std::make_shared<RecordsArguments>();
    arguments->action = name;
    CLI::App* command = parent->add_subcommand(name, help);
    add_admin_options(*command, *arguments, exit_code,
                      [arguments, streams] { return records(*arguments, streams); });
    return std::pair<CLI::App&, RecordsArguments&>(*command, *arguments);
  };
  {
    const auto [list, arguments] = add("list", "List records, in order of their fingerprints");
    add_list(list, arguments);
  }
  {
    const auto [show, arguments] = add("show", "Show one record");
    show.add_option("FINGERPRINT", arguments.fingerprint, "64 hexadecimal digits");
    add_show(show, arguments);
  }
  const auto add_change = [&](const std::string& name, const std::string& help) {
    const auto added = add(name, help);
    added.first.add_option("FINGERPRINT", added.second.fingerprint, "64 hexadecimal digits")
        ->required();
    added.first.add_flag(
        "--dry-run", added.second.dry_run,
        "Show the record and whether the change would be possible; change nothing");
    return added;
  };
  add_change("release",
             "Free a reserved or unknown record: the next request of the operation is forwarded");
  const auto [resolve, arguments] =
      add_change("resolve", "Mark an unknown record completed: the operation was done");
  add_answer(resolve, arguments);
  add_change("forget",
             "Remove a record that no request holds, as if the operation had never been requested");
}

}  // namespace onceproxy::cli
