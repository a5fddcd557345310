// What a policy reads of a head must be what the service gets. Three things on the way could change
// that: Connection, which drops what it names (RFC 9110 7.6.1); a request id that is replaced; and
// services that take `_` and `-` in a field's name for one, as CGI, WSGI and PHP do, to which
// `Onceproxy_Fence` is `Onceproxy-Fence`.
// Pure; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

/// A request id longer than this is not kept but replaced: it goes into logs and records.
inline constexpr std::size_t request_id_bytes_max = 128;

/// The fields that must not be sent under another spelling: those that a proxy treats in a way of
/// its own (onceproxy's, X-Forwarded-*, X-Request-Id, framing), Content-Type and Content-Encoding,
/// and those that some policy reads.
class GuardedFields {
 public:
  explicit GuardedFields(std::span<const policies::Policy> policies);

  /// Whether the name is another spelling of a guarded one: the same but for case, `_` and `-`.
  bool is_twin(std::string_view name) const;

  /// Marks such fields as `ours`, so that they go no further, and says how many they are. Where no
  /// policy reads a field with `_` in its name, fields without one cost a search for it.
  std::size_t drop_twins(RequestHead& head) const;

 private:
  /// Of what policies read, in lower case, as they spell it.
  std::vector<std::string> names_;
  bool any_underscore_ = false;
};

/// The fields of a request that its service gets as far as Connection is concerned. `kept` holds
/// them where they are not all.
std::span<const Field> delivered_fields(const RequestHead& head, std::vector<Field>& kept);

/// Why the service would not get what the policy reads; nothing where it would. Costs next to
/// nothing where Connection names no field and the request id is kept.
std::optional<BadHead> changed_on_the_way(const RequestHead& head, const policies::Policy& policy);

}  // namespace onceproxy::http
