// The decision about a pod: a patch (RFC 6902), no change, or a refusal. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "proxy/inject/options.hpp"
#include "proxy/inject/pod.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::inject {

/// The pod is not changed.
struct Unchanged {};
/// The pod is refused: it requests the sidecar and cannot get it.
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

/// Whether the text is a DNS subdomain (RFC 1123), as names of Kubernetes objects must be.
bool is_object_name(std::string_view text);

}  // namespace onceproxy::inject
