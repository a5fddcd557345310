// Determines the Operation of a request with its policy: the override that applies, the
// fingerprint, the payload digest, the entity, and the key of the rate limit. It makes no decisions
// about them. Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "policies/document.hpp"
#include "policies/entity.hpp"
#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// The operation of a covered request.
struct Operation {
  /// The policy, or its override that applies.
  const Policy* policy = nullptr;
  store::Fingerprint fingerprint;
  std::optional<store::PayloadDigest> payload;
  /// Present if the policy has an `entity` or a `rate_limit`.
  std::optional<OperationEntity> entity;
  std::optional<store::RateKey> rate;
  /// The operations that are forgotten when this one completes; without duplicates, and never this
  /// one.
  std::vector<store::Fingerprint> ends;
};

/// The error is the first one of the fingerprint, the scope, the payload, the entity, the rate
/// limit, or of `ends` (where missing fields are no error). A condition of the match that reads an
/// unreadable body comes first; one of an override comes between the entity and the rate limit.
/// policies/README.md describes the format of the digests.
tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body);

/// The operation of one entry in the policy's `ends`; it may be the policy's own operation.
tl::expected<store::Fingerprint, SelectError> ended_operation(const EndsRule& rule,
                                                              const Policy& policy,
                                                              const RequestView& request,
                                                              Document& body);

/// Whether the policy lets a request pass unprotected whose selection failed.
bool lets_pass(const Policy& policy, SelectError::Kind why);

/// A selector as written, and the value that it found: the canonical value as text.
using SelectedField = std::pair<std::string, tl::expected<std::string, SelectError>>;

/// The selected fields in order, for `explain`.
std::vector<SelectedField> selected_fields(const std::vector<Selector>& selectors,
                                           const Policy& policy, const RequestView& request,
                                           Document& body);

}  // namespace onceproxy::policies
