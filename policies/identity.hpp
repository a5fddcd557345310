// Identity: the digests of an operation and its payload, computed from the selected fields.
// README.md describes the format. Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// The error is that of the first of `fields` without a value, or else of the first of `scope`.
/// `scratch`: memory for the digested bytes.
tl::expected<store::Fingerprint, SelectError> fingerprint_of(const std::string& name_space,
                                                             const std::vector<Selector>& scope,
                                                             const std::vector<Selector>& fields,
                                                             const Subject& subject,
                                                             std::string& scratch);

/// Nothing if there are no `fields`.
tl::expected<std::optional<store::PayloadDigest>, SelectError> payload_of(
    const std::vector<Selector>& fields, const Subject& subject, std::string& scratch);

}  // namespace onceproxy::policies
