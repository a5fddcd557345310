// Setup: everything that a reload replaces, as one immutable value. Each worker has a pointer to
// the current one and replaces it on its own thread. A request keeps the one with which it began
// until it is answered, so that it ends under the policy that admitted it. Thread-safe: immutable
// and shared.
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
  /// The Host for requests without one.
  std::string upstream_name;
  /// The guarded fields of `rules`.
  GuardedFields guarded;
};

}  // namespace onceproxy::http
