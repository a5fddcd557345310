// An answer in the configuration: status, header fields and body. None of them can break the
// connection or be mistaken for a second answer. Pure; thread-safe.
#pragma once

#include <string>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// `place`: the name of the map in messages. `standard`: the values for what is not given. Its
/// header fields are used only with its body: an answer with its own body has only its own fields.
Kind<policies::FixedAnswer> fixed_answer(std::string place, policies::FixedAnswer standard);

}  // namespace onceproxy::config
