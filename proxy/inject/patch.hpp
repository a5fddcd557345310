// What the webhook makes of a pod: a patch (RFC 6902), nothing, or a refusal. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "proxy/inject/options.hpp"
#include "proxy/inject/pod.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::inject {

/// The pod stays as it is.
struct Unchanged {};
/// The pod may not be made: it asks for the sidecar and cannot have it.
struct Denied {
  std::string why;
};
struct Patched {
  telemetry::JsonArray operations;
  /// Warnings for the creator of the pod.
  std::vector<std::string> warnings;
};
using Change = std::variant<Unchanged, Denied, Patched>;

/// `name_space`: of the request, which is the pod's.
Change change_of(const Pod& pod, std::string_view name_space, const Options& options);

/// A DNS subdomain (RFC 1123), as objects of Kubernetes are named.
bool is_object_name(std::string_view text);

}  // namespace onceproxy::inject
