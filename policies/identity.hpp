// Identity: the digests that name an operation and its payload, from the fields that selectors
// find. The grammar of what is digested stands in README.md. Pure; thread-safe as long as each
// thread has its own Document.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// The error is that of the first of `fields` that has no value, then of the first of `scope`.
/// `scratch` is for the bytes that are digested.
tl::expected<store::Fingerprint, SelectError> fingerprint_of(const std::string& name_space,
                                                             const std::vector<Selector>& scope,
                                                             const std::vector<Selector>& fields,
                                                             const Subject& subject,
                                                             std::string& scratch);

/// Nothing where there are no `fields`.
tl::expected<std::optional<store::PayloadDigest>, SelectError> payload_of(
    const std::vector<Selector>& fields, const Subject& subject, std::string& scratch);

}  // namespace onceproxy::policies
