#include "policies/select.hpp"

#include <algorithm>

#include "policies/conditions.hpp"
#include "policies/digest.hpp"
#include "policies/grammar.hpp"
#include "policies/identity.hpp"
#include "policies/policy_set.hpp"

namespace onceproxy::policies {
namespace {

// Raised with any change to the grammar in README.md: a new number makes every bucket a full one.
constexpr std::string_view rate_tag = "onceproxy/rate/1\n";

/// A thread keeps its buffer between requests up to this size.
constexpr std::size_t reusable_bytes_max = std::size_t{64} * 1024;

/// The answer to HEAD has no body, and it changes nothing.
constexpr std::string_view head_method = "HEAD";

tl::expected<store::Fingerprint, SelectError> ended(const EndsRule& rule, const Policy& policy,
                                                    const Subject& subject, std::string& scratch) {
  return fingerprint_of(rule.name_space.empty() ? policy.name_space : rule.name_space,
                        rule.scope ? *rule.scope : policy.scope, rule.fingerprint, subject,
                        scratch);
}

/// A field that is missing names no operation. HEAD changes nothing, and ends nothing.
tl::expected<void, SelectError> add_ends(const Policy& policy, const Subject& subject,
                                         std::string& scratch, Operation& operation) {
  if (subject.request.method == head_method) return {};
  for (const EndsRule& rule : policy.ends) {
    auto other = ended(rule, policy, subject, scratch);
    if (!other && other.error().kind == SelectError::Kind::missing) continue;
    if (!other) return tl::unexpected(std::move(other.error()));
    const bool known = std::ranges::find(operation.ends, *other) != operation.ends.end();
    if (!known && *other != operation.fingerprint) operation.ends.push_back(*other);
  }
  return {};
}

/// A bucket is one of a namespace's, and another if the limit is another: the tokens of the old
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

/// What depends on a condition that asks an unreadable body.
tl::unexpected<SelectError> unreadable(Document& body) {
  const std::string* why = body.known_unreadable();
  // An overriding method in a form whose coding cannot be undone.
  if (why == nullptr) why = body.unreadable_form();
  return tl::unexpected(SelectError{SelectError::Kind::unreadable, *why});
}

/// nullptr: whether an override applies depends on an unreadable body.
const Policy* effective(const Policy& policy, const Subject& subject) {
  for (const Override& one : policy.overrides) {
    const Truth applies = all_hold(one.where, subject);
    if (applies == Truth::yes) return one.policy.get();
    if (applies == Truth::unreadable) return nullptr;
  }
  return &policy;
}

/// Whether it depends on an unreadable body if the policy covers the request. Choosing the policy
/// has evaluated its conditions already, so a readable body costs nothing more.
bool is_unclear(const Policy& policy, const Subject& subject) {
  const bool may_be = policy.match.method_override ||
                      (!policy.match.where.empty() && subject.body.known_unreadable() != nullptr);
  return may_be && body_matches(policy.match, subject.request, subject.body) == Truth::unreadable;
}

/// `scratch` holds the bytes of one digest after the other.
tl::expected<Operation, SelectError> digest(const Policy& policy, const Subject& subject,
                                            std::string& scratch) {
  tl::expected<Operation, SelectError> out;
  Operation& operation = *out;
  if (is_unclear(policy, subject)) return unreadable(subject.body);
  auto fingerprint =
      fingerprint_of(policy.name_space, policy.scope, policy.fingerprint, subject, scratch);
  if (!fingerprint) return tl::unexpected(std::move(fingerprint.error()));
  operation.fingerprint = *fingerprint;
  auto payload = payload_of(policy.payload, subject, scratch);
  if (!payload) return tl::unexpected(std::move(payload.error()));
  operation.payload = *payload;
  if (policy.entity) {
    auto entity = read_entity(*policy.entity, subject);
    if (!entity) return tl::unexpected(std::move(entity.error()));
    operation.entity = *std::move(entity);
  }
  operation.policy = effective(policy, subject);
  if (operation.policy == nullptr) return unreadable(subject.body);
  if (const auto& rate = operation.policy->rate_limit) {
    scratch.clear();
    auto bucket = append_bucket(policy.name_space, *rate, operation.fingerprint, subject, scratch);
    if (!bucket) return tl::unexpected(std::move(bucket.error()));
    operation.rate.emplace().bytes = sha256(scratch);
  }
  if (auto ends = add_ends(policy, subject, scratch, operation); !ends) {
    return tl::unexpected(std::move(ends.error()));
  }
  return out;
}

}  // namespace

tl::expected<Operation, SelectError> select_operation(const Policy& policy,
                                                      const RequestView& request, Document& body) {
  thread_local std::string scratch;
  auto operation = digest(policy, Subject{policy.match, request, body}, scratch);
  if (scratch.capacity() > reusable_bytes_max) scratch = std::string();
  return operation;
}

tl::expected<store::Fingerprint, SelectError> ended_operation(const EndsRule& rule,
                                                              const Policy& policy,
                                                              const RequestView& request,
                                                              Document& body) {
  std::string scratch;
  return ended(rule, policy, Subject{policy.match, request, body}, scratch);
}

bool lets_pass(const Policy& policy, SelectError::Kind why) {
  switch (why) {
    case SelectError::Kind::missing:
      return policy.on_missing == OnMissing::pass;
    case SelectError::Kind::unreadable:
      return policy.on_unreadable == OnMissing::pass;
    case SelectError::Kind::bad_key:
      break;
  }
  return false;
}

std::vector<SelectedField> selected_fields(const std::vector<Selector>& selectors,
                                           const Policy& policy, const RequestView& request,
                                           Document& body) {
  std::vector<SelectedField> out;
  const Subject subject{policy.match, request, body};
  for (const Selector& selector : selectors) {
    auto& [name, value] = out.emplace_back(selector.text, std::string());
    const auto type = append_field(selector, subject, *value);
    if (!type) value = tl::unexpected(type.error());
  }
  return out;
}

}  // namespace onceproxy::policies
