// Answers an AdmissionReview (admission.k8s.io/v1), the API server's request about a pod. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/inject/options.hpp"

namespace onceproxy::inject {

enum class PodResult {
  injected,   ///< the sidecar is added
  unchanged,  ///< it is there, or nobody asked for it
  denied,     ///< the pod may not be made
};

struct Reviewed {
  PodResult result;
  /// The answer, an AdmissionReview as JSON.
  std::string body;
  /// The name of the pod, as far as it is known, and the reason if it was denied; for the log.
  std::string pod;
  std::string why;
};

/// The error describes what is wrong with the body. The API server then gets no answer, and its
/// failurePolicy decides.
tl::expected<Reviewed, std::string> review(std::string_view body, const Options& options);

}  // namespace onceproxy::inject
