#include "policies/identity.hpp"

#include "policies/digest.hpp"
#include "policies/grammar.hpp"

namespace onceproxy::policies {
namespace {

// A new number makes every key a new one. It is not needed if the changed values get a new type
// (README.md).
constexpr std::string_view fingerprint_tag = "onceproxy/fingerprint/1\n";
constexpr std::string_view payload_tag = "onceproxy/payload/1\n";

/// The answer to HEAD has no body, so it must not be given to another method, nor the other way
/// round: HEAD is a separate operation, whatever the selectors say.
constexpr std::string_view head_method = "HEAD";

}  // namespace

tl::expected<store::Fingerprint, SelectError> fingerprint_of(const std::string& name_space,
                                                             const std::vector<Selector>& scope,
                                                             const std::vector<Selector>& fields,
                                                             const Subject& subject,
                                                             std::string& scratch) {
  scratch.assign(fingerprint_tag);
  append_counted(name_space, scratch);
  const auto scope_values = append_values(scope, subject, scratch);
  const auto field_values = append_values(fields, subject, scratch);
  // A client that left out both its key and its credentials hears of the key.
  if (!field_values) return tl::unexpected(field_values.error());
  if (!scope_values) return tl::unexpected(scope_values.error());
  if (subject.request.method == head_method) append_counted(head_method, scratch);
  store::Fingerprint out;
  out.bytes = sha256(scratch);
  return out;
}

tl::expected<std::optional<store::PayloadDigest>, SelectError> payload_of(
    const std::vector<Selector>& fields, const Subject& subject, std::string& scratch) {
  if (fields.empty()) return std::nullopt;
  scratch.assign(payload_tag);
  if (const auto values = append_values(fields, subject, scratch); !values) {
    return tl::unexpected(values.error());
  }
  store::PayloadDigest out;
  out.bytes = sha256(scratch);
  return out;
}

}  // namespace onceproxy::policies
