#include "policies/earlier.hpp"

#include <algorithm>

#include "policies/identity.hpp"
#include "policies/media_type.hpp"

namespace onceproxy::policies {
namespace {

bool reads_content(const std::vector<Selector>& selectors) {
  return std::ranges::any_of(selectors, [](const Selector& first) {
    for (const Selector* at = &first; at != nullptr; at = at->otherwise.get()) {
      if (at->source == Source::content || at->source == Source::form) return true;
    }
    return false;
  });
}

/// Whether the same selectors may find something else under the earlier rules. Nearly all requests
/// have a body that is JSON, or says nothing of itself, and need no second digest.
bool is_read_differently(const Policy& policy, const RequestView& request) {
  const BodyKind kind = body_kind(request);
  if (kind == BodyKind::json || kind == BodyKind::unsaid) return false;
  return reads_content(policy.fingerprint) || reads_content(policy.scope) ||
         reads_content(policy.payload);
}

}  // namespace

std::optional<store::EarlierDigests> earlier_digests(const Policy& policy,
                                                     const Operation& operation,
                                                     const RequestView& request, Document& body) {
  if (!policy.earlier && !is_read_differently(policy, request)) return std::nullopt;
  const Subject subject{policy.match, request, body, 0, Reading::earlier_digest};
  const Selection* const other = policy.earlier.get();
  std::string scratch;
  const auto fingerprint =
      fingerprint_of(policy.name_space, other != nullptr ? other->scope : policy.scope,
                     other != nullptr ? other->fingerprint : policy.fingerprint, subject, scratch);
  if (!fingerprint) return std::nullopt;
  const auto payload =
      payload_of(other != nullptr ? other->payload : policy.payload, subject, scratch);
  if (!payload) return std::nullopt;
  if (*fingerprint == operation.fingerprint && *payload == operation.payload) return std::nullopt;
  return store::EarlierDigests{*fingerprint, *payload};
}

}  // namespace onceproxy::policies
