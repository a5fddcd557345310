#include "proxy/cli/commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/audit.hpp"
#include "proxy/cli/backup.hpp"
#include "proxy/cli/deliveries.hpp"
#include "proxy/cli/drain.hpp"
#include "proxy/cli/entities.hpp"
#include "proxy/cli/health.hpp"
#include "proxy/cli/records.hpp"
#include "proxy/cli/store.hpp"

namespace onceproxy::cli {
namespace {

/// FILE as an argument, as linters take it, or behind -c, as all other commands do.
void add_config(CLI::App& command, std::string& file) {
  command.add_option("FILE,-c,--config", file, "Configuration file (YAML)")
      ->type_name("FILE")
      ->required();
}

// CLI11 keeps references to what options write to; the callbacks keep it alive.

void add_check(CLI::App& app, const Streams& streams, int& exit_code) {
  struct Arguments {
    std::string file;
    std::string format = "text";
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("check", "Validate a configuration and print every problem");
  add_config(*command, arguments->file);
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer(
      "FILE may be - for stdin.\nExit code 0: valid; 1: it has problems; 2: it cannot be read.");
  command->callback([arguments, streams, &exit_code] {
    exit_code = check(arguments->file, arguments->format == "json", streams);
  });
}

void add_explain(CLI::App& app, const Streams& streams, int& exit_code) {
  struct Arguments : ExplainArguments {
    std::string format = "text";
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "explain", "Print the operation that a request represents, without using the store");
  command->add_option("-c,--config", arguments->config, "Configuration file (YAML)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--certificate", arguments->certificate,
                   "A file with the certificate that the client presents (PEM)")
      ->type_name("FILE");
  command
      ->add_option("--answer", arguments->answer,
                   "The service's answer, a raw HTTP message in a file, or - for stdin: tells\n"
                   "what it says about the operation, and which rule of outcome.rules applies")
      ->type_name("FILE");
  command->add_option("REQUEST", arguments->request, "A raw HTTP message in a file, or - for stdin")
      ->type_name("")
      ->required();
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer(
      "Prints the policy, the selected fields, the fingerprint, the payload digest and the terms.\n"
      "Exit code 0: explained; 1: the configuration or a message is not valid; 2: cannot be read.");
  command->callback([arguments, streams, &exit_code] {
    if (arguments->request == "-" && arguments->answer == "-") {
      throw CLI::ValidationError("--answer", "only one of REQUEST and --answer can be -");
    }
    arguments->json = arguments->format == "json";
    exit_code = explain(*arguments, streams);
  });
}

void add_doctor(CLI::App& app, const Streams& streams, int& exit_code) {
  struct Arguments : DoctorArguments {
    std::string format = "text";
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("doctor", "Report whether onceproxy can start here and work");
  add_config(*command, arguments->config);
  command
      ->add_option("--envoy", arguments->envoy,
                   "Check the Envoy with this admin port instead: host:port or unix:/path")
      ->type_name("ADDRESS");
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer(
      "Examines the configuration, the store, the disk, the ports, the upstream, the clock and "
      "the limits.\n"
      "Run it as the user who runs onceproxy.\n"
      "Exit code 0: no check fails; 1: one fails; 2: the configuration cannot be read.");
  command->callback([arguments, streams, &exit_code] {
    arguments->json = arguments->format == "json";
    exit_code = doctor(*arguments, streams);
  });
}

void add_backtest(CLI::App& app, const Streams& streams, int& exit_code) {
  struct Arguments : BacktestArguments {
    std::string format = "text";
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "backtest", "Report what each policy would have done with the requests of a log");
  command->add_option("-c,--config", arguments->config, "Configuration file (YAML)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option(
          "LOG", arguments->log,
          "Past requests with their times: JSON lines or HAR 1.2 in a file, or - for stdin")
      ->type_name("")
      ->required();
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command
      ->add_option("--max-operations", arguments->operations_max,
                   "Operations, entities and rate limits to remember at once, about 250\n"
                   "bytes each; with more the backtest ends there (default 2000000)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}).description(""));
  command->footer(
      "A JSON line: {\"time\": \"2026-01-02T03:04:05Z\", \"method\": \"POST\", \"target\": "
      "\"/orders\",\n  \"headers\": {\"idempotency-key\": \"k1\"}, \"body\": \"{}\", "
      "\"status\": 201, \"duration_ms\": 12}\n"
      "Every policy counts as enforced, whatever its mode and percentage; off stays off.\n"
      "Exit code 0: done; 1: the configuration is not valid, or the log has no request, breaks off "
      "or "
      "needs\nmore than --max-operations; 2: cannot be read.");
  command->callback([arguments, streams, &exit_code] {
    arguments->json = arguments->format == "json";
    exit_code = backtest(*arguments, streams);
  });
}

void add_schema(CLI::App& app, const Streams& streams, int& exit_code) {
  const auto format = std::make_shared<std::string>("json");
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema of the configuration");
  command
      ->add_option("--format", *format,
                   "json: the JSON Schema; markdown: the reference of all keys (default json)")
      ->check(CLI::IsMember({"json", "markdown"}));
  command->footer("An editor completes and checks configuration files with the JSON Schema.");
  command->callback(
      [format, streams, &exit_code] { exit_code = schema(*format == "markdown", streams.out); });
}

}  // namespace

void add_commands(CLI::App& app, const Streams& streams, int& exit_code) {
  add_check(app, streams, exit_code);
  add_explain(app, streams, exit_code);
  add_backtest(app, streams, exit_code);
  add_doctor(app, streams, exit_code);
  add_health(app, streams, exit_code);
  add_drain(app, streams, exit_code);
  add_backup(app, streams, exit_code);
  add_restore(app, streams, exit_code);
  add_records(app, streams, exit_code);
  add_entities(app, streams, exit_code);
  add_deliveries(app, streams, exit_code);
  add_audit(app, streams, exit_code);
  add_store(app, streams, exit_code);
  add_schema(app, streams, exit_code);
}

}  // namespace onceproxy::cli
