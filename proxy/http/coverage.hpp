// Coverage: what the policies that may cover a request require, before its body is known and
// afterwards: whether it is refused because of its head, and which policy covers it. It is the same
// for all ports. Pure, except for the enforcement, which an operator may change at any time.
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

  /// `candidates`: the policies that may cover the request. They must not be empty if anything
  /// other than none() is called. Both arguments must outlive it.
  Coverage(const gate::Rules& rules, const Candidates& candidates)
      : rules_(rules), candidates_(candidates) {}

  bool none() const { return candidates_.empty(); }
  /// The policy under which a request is refused before its operation is known.
  const policies::Policy& first() const { return *candidates_.front(); }
  /// The first policy is off and does not need the body, so the request passes unchanged.
  bool switched_off() const;
  /// No candidate refuses the request, because all are in shadow mode or off.
  bool only_watched() const;

  /// The reason why the request is refused because of its head.
  std::optional<BadHead> check_head(const RequestHead& head, bool wants_websocket,
                                    std::size_t body_bytes_max) const;
  /// nullptr if none of them covers the request.
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
