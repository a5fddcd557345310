// From a request and its policy to an Operation: the fingerprint and the payload digest. Pure.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "policies/document.hpp"
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

/// Why there is no operation.
struct SelectError {
  enum class Kind { missing, bad_key } kind = Kind::missing;
  /// missing: the selector as written. bad_key: what is wrong with the key, without the key.
  std::string detail;
};

tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body);

/// The selected fields as text, in order, for `explain`: selector and canonical value, or nothing
/// where the field is missing.
std::vector<std::pair<std::string, std::optional<std::string>>> selected_fields(
    const std::vector<Selector>& selectors, const Policy& policy, const RequestView& request,
    Document& body);

}  // namespace onceproxy::policies
