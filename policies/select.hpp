// From a request and its policy to an Operation: which override applies, the fingerprint, the
// payload digest, the entity, the key of the rate limit. Decides nothing about what it names.
// Pure; thread-safe as long as each thread has its own Document.
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

/// What a covered request stands for.
struct Operation {
  /// The policy, or the override of it that applies.
  const Policy* policy = nullptr;
  store::Fingerprint fingerprint;
  std::optional<store::PayloadDigest> payload;
  /// Present where the policy has an `entity`, a `rate_limit`.
  std::optional<OperationEntity> entity;
  std::optional<store::RateKey> rate;
  /// Whose memory ends when this one completes; each once, never this one.
  std::vector<store::Fingerprint> ends;
};

/// The error is the first of the fingerprint's, the scope's, the payload's, the entity's, the rate
/// limit's, those of `ends` but for fields that are missing there. Before them, and between the
/// entity's and the rate limit's, comes a condition of the match or of an override that asks a body
/// which cannot be read. The grammar of what is digested stands in policies/README.md.
tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body);

/// The operation that one rule of the policy's `ends` names; the policy's own operation perhaps.
tl::expected<store::Fingerprint, SelectError> ended_operation(const EndsRule& rule,
                                                              const Policy& policy,
                                                              const RequestView& request,
                                                              Document& body);

/// Whether the policy lets a request pass unprotected whose selection failed.
bool lets_pass(const Policy& policy, SelectError::Kind why);

/// A selector as it is written, and what it finds: the canonical value as text.
using SelectedField = std::pair<std::string, tl::expected<std::string, SelectError>>;

/// The selected fields in order, for `explain`.
std::vector<SelectedField> selected_fields(const std::vector<Selector>& selectors,
                                           const Policy& policy, const RequestView& request,
                                           Document& body);

}  // namespace onceproxy::policies
