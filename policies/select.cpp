#include "policies/select.hpp"

#include <cstdint>

#include "policies/digest.hpp"

namespace onceproxy::policies {
namespace {

// Raised with any change to the grammar in README.md: a new number makes every key a new one.
constexpr std::string_view fingerprint_tag = "onceproxy/fingerprint/1\n";
constexpr std::string_view payload_tag = "onceproxy/payload/1\n";

constexpr std::size_t number_bytes = 8;
/// A thread keeps its buffer between requests up to this size.
constexpr std::size_t reusable_bytes_max = std::size_t{64} * 1024;

/// number: 8 bytes, the highest first.
void put_number(std::uint64_t number, char* at) {
  for (std::size_t i = number_bytes; i-- > 0; number >>= 8)
    at[i] = static_cast<char>(number & 0xFF);
}

void append_number(std::uint64_t number, std::string& out) {
  out.resize(out.size() + number_bytes);
  put_number(number, out.data() + out.size() - number_bytes);
}

/// value: its type, its length, its text.
tl::expected<void, SelectError> append_value(const Selector& selector, const Subject& subject,
                                             std::string& out) {
  const std::size_t type_at = out.size();
  out.resize(type_at + 1 + number_bytes);
  const std::size_t text_at = out.size();
  const auto type = append_field(selector, subject, out);
  if (!type) return tl::unexpected(type.error());
  out[type_at] = static_cast<char>(*type);
  put_number(out.size() - text_at, out.data() + type_at + 1);
  return {};
}

/// values: how many, then each.
tl::expected<void, SelectError> append_values(const std::vector<Selector>& selectors,
                                              const Subject& subject, std::string& out) {
  append_number(selectors.size(), out);
  for (const Selector& selector : selectors) {
    auto appended = append_value(selector, subject, out);
    if (!appended) return appended;
  }
  return {};
}

/// The bytes the fingerprint is the digest of.
tl::expected<void, SelectError> append_identity(const Policy& policy, const Subject& subject,
                                                std::string& out) {
  out.append(fingerprint_tag);
  append_number(policy.name_space.size(), out);
  out.append(policy.name_space);
  auto scope = append_values(policy.scope, subject, out);
  auto fields = append_values(policy.fingerprint, subject, out);
  // A client that left out both its key and its credentials hears of the key.
  return fields ? scope : fields;
}

tl::expected<Operation, SelectError> digest(const Policy& policy, const Subject& subject,
                                            std::string& scratch) {
  Operation operation;
  operation.policy = &policy;
  if (auto identity = append_identity(policy, subject, scratch); !identity) {
    return tl::unexpected(std::move(identity.error()));
  }
  operation.fingerprint.bytes = sha256(scratch);
  if (policy.payload.empty()) return operation;

  scratch.assign(payload_tag);
  if (auto payload = append_values(policy.payload, subject, scratch); !payload) {
    return tl::unexpected(std::move(payload.error()));
  }
  operation.payload.emplace().bytes = sha256(scratch);
  return operation;
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
