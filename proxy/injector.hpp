// `onceproxy inject`, the admission webhook as a separate program (a server around
// inject/review.hpp), and `onceproxy inject audit`. Not thread-safe.
#pragma once

#include "proxy/cli/commands.hpp"

namespace onceproxy {

/// Adds the command. It stores its exit code in `exit_code`, which must outlive the parsing.
void add_inject(CLI::App& app, const cli::Streams& streams, int& exit_code);

}  // namespace onceproxy
