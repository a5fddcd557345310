#include "proxy/cli/commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace onceproxy::cli {

void add_commands(CLI::App& app, const Streams& streams, int& exit_code) {
  struct Arguments {
    std::string config;
    std::string file;
    std::string format = "text";
  };
  // CLI11 keeps references to what options write to; the callbacks keep it alive.
  const auto arguments = std::make_shared<Arguments>();

  CLI::App* check_command =
      app.add_subcommand("check", "Validate a configuration and print every problem");
  check_command->add_option("FILE", arguments->file, "Configuration file (YAML)")->required();
  check_command->add_option("--format", arguments->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  check_command->callback([arguments, streams, &exit_code] {
    exit_code = check(arguments->file, arguments->format == "json", streams.out, streams.err);
  });

  app.add_subcommand("schema", "Print the JSON Schema of the configuration")
      ->callback([streams, &exit_code] { exit_code = schema(streams.out); });

  CLI::App* explain_command =
      app.add_subcommand("explain", "Tell which operation a request stands for, without a store");
  explain_command->add_option("-c,--config", arguments->config, "Configuration file (YAML)")
      ->required();
  explain_command
      ->add_option("REQUEST", arguments->file, "A raw HTTP message in a file, or - for stdin")
      ->required();
  explain_command->callback([arguments, streams, &exit_code] {
    exit_code = explain(arguments->config, arguments->file, streams);
  });
}

}  // namespace onceproxy::cli
