// Finds pods that request the sidecar and do not have it, because they were created while the
// webhook was down, or before they requested it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace onceproxy::inject {

struct Unprotected {
  std::string name_space;
  std::string name;
  /// How the pod requests it: by the label or the annotation.
  std::string asks_by;
};

struct Audited {
  std::vector<Unprotected> unprotected;
  /// The number of pods that request the sidecar and have it.
  std::size_t protected_count = 0;
};

/// `json`: a list of pods or one pod, as `kubectl get pods -o json` prints it. Pods that have ended
/// are ignored. The error describes what is wrong with the text.
tl::expected<Audited, std::string> audit(std::string_view json);

}  // namespace onceproxy::inject
