// ${NAME} and ${NAME:-default} in a scalar. As in a shell, the default is also used for an empty
// variable. `$${` is a literal `${`. A default ends at the first `}` and is not expanded. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "config/load.hpp"

namespace onceproxy::config {

struct Substituted {
  std::string text;
  /// Whether the scalar contained a variable.
  bool changed = false;
};

/// The error is a message that contains the name of the variable.
tl::expected<Substituted, std::string> substitute(std::string_view text,
                                                  const Environment& environment);

}  // namespace onceproxy::config
