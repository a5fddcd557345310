// A suggestion for a misspelt command or option. Pure.
#pragma once

#include <span>
#include <string>

namespace CLI {
class App;
}

namespace onceproxy::cli {

/// The command or option of `app` that the first unknown word of the command line is most likely a
/// misspelling of; empty if there is none. `words`: without the program's name.
std::string suggestion(const CLI::App& app, std::span<const char* const> words);

}  // namespace onceproxy::cli
