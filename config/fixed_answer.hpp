// An answer that the configuration spells out: status, header fields and body, none of which can
// break the connection or stand for a second answer. Pure; thread-safe.
#pragma once

#include <string>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// `place` is what messages call the map; `standard` is what is not written in it. Its header
/// fields go with its body: an answer that has a body of its own has its own fields alone.
Kind<policies::FixedAnswer> fixed_answer(std::string place, policies::FixedAnswer standard);

}  // namespace onceproxy::config
