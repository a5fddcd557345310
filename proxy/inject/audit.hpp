// Which pods ask for the sidecar and do not have it: those that were made while the webhook was not
// there, or before they asked. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace onceproxy::inject {

struct Unprotected {
  std::string name_space;
  std::string name;
  /// What says that it asks: the label, or the annotation.
  std::string asks_by;
};

struct Audited {
  std::vector<Unprotected> unprotected;
  /// Pods that ask for the sidecar and have it.
  std::size_t protected_count = 0;
};

/// `json`: a list of pods or one pod, as `kubectl get pods -o json` prints it. Pods that have ended
/// do not count. The error says what is wrong with the text.
tl::expected<Audited, std::string> audit(std::string_view json);

}  // namespace onceproxy::inject
