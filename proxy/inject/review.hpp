// AdmissionReview (admission.k8s.io/v1): the API server's question about a pod, and the answer to
// it. Pure.
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
  /// The AdmissionReview that answers, as JSON.
  std::string body;
  /// Of what the pod is called, as far as it is, and why it was denied; for the log.
  std::string pod;
  std::string why;
};

/// The error says what is wrong with the body; the API server then has no answer, and does as its
/// failurePolicy says.
tl::expected<Reviewed, std::string> review(std::string_view body, const Options& options);

}  // namespace onceproxy::inject
