#include "policies/select.hpp"

#include <algorithm>

#include "policies/conditions.hpp"
#include "policies/digest.hpp"
#include "policies/grammar.hpp"

namespace onceproxy::policies {
namespace {

// Raised with any change to the grammar in README.md: a new number makes every key a new one.
constexpr std::string_view fingerprint_tag = "onceproxy/fingerprint/1\n";
constexpr std::string_view payload_tag = "onceproxy/payload/1\n";
constexpr std::string_view rate_tag = "onceproxy/rate/1\n";

/// A thread keeps its buffer between requests up to this size.
constexpr std::size_t reusable_bytes_max = std::size_t{64} * 1024;

/// The bytes the fingerprint is the digest of.
tl::expected<void, SelectError> append_identity(const Policy& policy, const Subject& subject,
                                                std::string& out) {
  out.append(fingerprint_tag);
  append_counted(policy.name_space, out);
  auto scope = append_values(policy.scope, subject, out);
  auto fields = append_values(policy.fingerprint, subject, out);
  // A client that left out both its key and its credentials hears of the key.
  return fields ? scope : fields;
}

/// A bucket is one of a namespace's, and another where the limit is another: the tokens of the old
/// one mean nothing under the new.
tl::expected<void, SelectError> append_bucket(const std::string& name_space, const RateLimit& rate,
                                              const store::Fingerprint& fingerprint,
                                              const Subject& subject, std::string& out) {
  out.append(rate_tag);
  append_counted(name_space, out);
  append_number(rate.limit, out);
  append_number(static_cast<std::uint64_t>(rate.per.count()), out);
  auto values = append_values(rate.by, subject, out);
  if (values && rate.by.empty()) out.append(fingerprint.view());
  return values;
}

const Policy& effective(const Policy& policy, const Subject& subject) {
  const auto applies = [&](const Override& one) { return all_hold(one.where, subject); };
  const auto found = std::find_if(policy.overrides.begin(), policy.overrides.end(), applies);
  return found == policy.overrides.end() ? policy : *found->policy;
}

/// `scratch` holds the bytes of one digest after the other.
tl::expected<Operation, SelectError> digest(const Policy& policy, const Subject& subject,
                                            std::string& scratch) {
  tl::expected<Operation, SelectError> out;
  Operation& operation = *out;
  if (auto identity = append_identity(policy, subject, scratch); !identity) {
    return tl::unexpected(std::move(identity.error()));
  }
  operation.fingerprint.bytes = sha256(scratch);
  if (!policy.payload.empty()) {
    scratch.assign(payload_tag);
    if (auto payload = append_values(policy.payload, subject, scratch); !payload) {
      return tl::unexpected(std::move(payload.error()));
    }
    operation.payload.emplace().bytes = sha256(scratch);
  }
  if (policy.entity) {
    auto entity = read_entity(*policy.entity, subject);
    if (!entity) return tl::unexpected(std::move(entity.error()));
    operation.entity = *std::move(entity);
  }
  operation.policy = &effective(policy, subject);
  if (const auto& rate = operation.policy->rate_limit) {
    scratch.clear();
    auto bucket = append_bucket(policy.name_space, *rate, operation.fingerprint, subject, scratch);
    if (!bucket) return tl::unexpected(std::move(bucket.error()));
    operation.rate.emplace().bytes = sha256(scratch);
  }
  return out;
}

}  // namespace

tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body) {
  thread_local std::string scratch;
  scratch.clear();
  auto operation = digest(policy, Subject{policy.match, request, body}, scratch);
  if (scratch.capacity() > reusable_bytes_max) scratch = std::string();
  return operation;
}

std::vector<std::pair<std::string, std::optional<std::string>>> selected_fields(
    const std::vector<Selector>& selectors, const Policy& policy, const RequestView& request,
    Document& body) {
  std::vector<std::pair<std::string, std::optional<std::string>>> out;
  const Subject subject{policy.match, request, body};
  for (const Selector& selector : selectors) {
    auto& field = out.emplace_back(selector.text, std::string());
    if (!append_field(selector, subject, *field.second)) field.second.reset();
  }
  return out;
}

}  // namespace onceproxy::policies
