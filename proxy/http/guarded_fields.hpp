// Ensures that the service gets the header fields that a policy reads. There are three possible
// differences: Connection, which removes the fields that it names (RFC 9110 7.6.1); a request id
// that is replaced; and services that treat `_` and `-` in a field's name as equal, as CGI, WSGI
// and PHP do, so that `Onceproxy_Fence` means `Onceproxy-Fence`. Pure; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

/// A longer request id is replaced, because it is written to logs and records.
inline constexpr std::size_t request_id_bytes_max = 128;

/// The fields that must not be sent with another spelling: those that a proxy handles itself
/// (onceproxy's, X-Forwarded-*, X-Request-Id, framing), Content-Type and Content-Encoding, and
/// those that a policy reads.
class GuardedFields {
 public:
  explicit GuardedFields(std::span<const policies::Policy> policies);

  /// Whether the name is another spelling of a guarded one: equal except for case, `_` and `-`.
  bool is_twin(std::string_view name) const;

  /// Marks these fields as `ours`, so that they are not forwarded, and returns their number. If no
  /// policy reads a field with `_` in its name, this costs one search per field.
  std::size_t drop_twins(RequestHead& head) const;

 private:
  /// The names of the fields that policies read, in lower case.
  std::vector<std::string> names_;
  bool any_underscore_ = false;
};

/// The fields of a request that the service gets, without those that Connection names. `kept`
/// stores them if some are removed.
std::span<const Field> delivered_fields(const RequestHead& head, std::vector<Field>& kept);

/// The reason why the service would not get what the policy reads; nothing if it would. It is very
/// cheap if Connection names no field and the request id is kept.
std::optional<BadHead> changed_on_the_way(const RequestHead& head, const policies::Policy& policy);

}  // namespace onceproxy::http
