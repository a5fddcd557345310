// ${NAME} and ${NAME:-default} in a scalar. As in a shell, the default also stands in for an empty
// variable. `$${` is a literal `${`. A default is taken as it is, up to the first `}`. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "config/load.hpp"

namespace onceproxy::config {

struct Substituted {
  std::string text;
  /// Whether any variable was put in.
  bool changed = false;
};

/// The error is a message that names the variable.
tl::expected<Substituted, std::string> substitute(std::string_view text,
                                                  const Environment& environment);

}  // namespace onceproxy::config
