#include "proxy/cli/suggestion.hpp"

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

#include "config/text.hpp"

namespace onceproxy::cli {
namespace {

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

const CLI::App* command_of(const CLI::App& app, std::string_view name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

}  // namespace

std::string suggestion(const CLI::App& app, std::span<const char* const> words) {
  const CLI::App* at = &app;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.starts_with('-') && word != "-") {
      const std::string name(word.substr(0, word.find('=')));
      const CLI::Option* const option = at->get_option_no_throw(name);
      if (option == nullptr) return config::nearest(name, options_of(*at));
      const bool takes_next = option->get_items_expected_max() > 0 && name.size() == word.size();
      if (takes_next) ++i;
      continue;
    }
    const std::vector<std::string> commands = commands_of(*at);
    if (commands.empty()) continue;
    const CLI::App* const command = command_of(*at, word);
    if (command == nullptr) return config::nearest(word, commands);
    at = command;
  }
  return "";
}

}  // namespace onceproxy::cli
