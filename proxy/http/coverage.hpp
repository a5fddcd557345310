// Coverage: what the policies that may cover a request say about it, before its body is known and
// then: whether it is refused for its head, and which of them covers it. The same through every
// port.
// Pure, but for the enforcement, which an operator may change meanwhile.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "proxy/gate/rules.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

class Coverage {
 public:
  using Candidates = std::vector<const policies::Policy*>;

  /// `candidates` may cover the request; not empty where anything but none() is asked. Both must
  /// outlive it.
  Coverage(const gate::Rules& rules, const Candidates& candidates)
      : rules_(rules), candidates_(candidates) {}

  bool none() const { return candidates_.empty(); }
  /// The policy in whose name a request is refused before its operation is known.
  const policies::Policy& first() const { return *candidates_.front(); }
  /// The first is off and asks nothing of the body: the request passes untouched.
  bool switched_off() const;
  /// Whichever of the candidates covers the request, it refuses nothing.
  bool only_watched() const;

  /// Why the request is refused for its head.
  std::optional<BadHead> check_head(const RequestHead& head, bool wants_websocket,
                                    std::size_t body_bytes_max) const;
  /// nullptr: none of them covers the request.
  const policies::Policy* covering(const policies::RequestView& request,
                                   policies::Document& body) const;

 private:
  const gate::Rules& rules_;
  const Candidates& candidates_;
};

/// The body is larger than `limits.body_bytes`.
inline constexpr BadHead body_too_large{
    413, "body-too-large",
    "The body is larger than limits.body_bytes allows where a policy covers "
    "the request."};

}  // namespace onceproxy::http
