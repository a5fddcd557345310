// Setup: what a reload replaces, as one value that never changes. Every worker has one and swaps it
// on its own thread; a request keeps the one that it began with until it is answered, so that it
// ends under the policy that admitted it and nothing it refers to goes away.
// Thread-safe: immutable and shared.
#pragma once

#include <memory>
#include <string>

#include "proxy/gate/rules.hpp"
#include "proxy/http/guarded_fields.hpp"
#include "proxy/http/options.hpp"

namespace onceproxy::http {

struct Setup {
  Options options;
  std::shared_ptr<const gate::Rules> rules;
  /// The Host of a request that came without one.
  std::string upstream_name;
  /// Those of `rules`.
  GuardedFields guarded;
};

}  // namespace onceproxy::http
