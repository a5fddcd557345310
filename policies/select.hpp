// From a request and its policy to an Operation: the fingerprint and the payload digest. Pure.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "policies/document.hpp"
#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// What a covered request stands for.
struct Operation {
  const Policy* policy = nullptr;
  store::Fingerprint fingerprint;
  std::optional<store::PayloadDigest> payload;
};

/// The error is the first of the fingerprint's, the scope's, the payload's. The grammar of what is
/// digested stands in policies/README.md.
tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body);

/// The selected fields as text, in order, for `explain`: selector and canonical value, or nothing
/// where the field is missing.
std::vector<std::pair<std::string, std::optional<std::string>>> selected_fields(
    const std::vector<Selector>& selectors, const Policy& policy, const RequestView& request,
    Document& body);

}  // namespace onceproxy::policies
