#include "proxy/http/coverage.hpp"

#include <algorithm>

#include "proxy/http/guarded_fields.hpp"

namespace onceproxy::http {

using policies::Enforcement;

bool Coverage::switched_off() const {
  const policies::Policy& policy = first();
  return rules_.enforcement(policy).mode == Enforcement::Mode::off && policy.match.where.empty() &&
         !policy.match.method_override;
}

bool Coverage::only_watched() const {
  return std::ranges::all_of(candidates_, [&](const policies::Policy* candidate) {
    const Enforcement enforcement = rules_.enforcement(*candidate);
    return enforcement.mode != Enforcement::Mode::enforce || enforcement.percent == 0;
  });
}

std::optional<BadHead> Coverage::check_head(const RequestHead& head, bool wants_websocket,
                                            std::size_t body_bytes_max) const {
  // A policy that is in shadow mode for some or all requests does not have the others refused.
  const bool watched = only_watched();
  for (const policies::Policy* candidate : candidates_) {
    if (!watched && !rules_.enforcement(*candidate).holds_for_all()) continue;
    if (const auto changed = changed_on_the_way(head, *candidate)) return changed;
  }
  if (wants_websocket) return BadHead{501, "upgrade", "A covered request cannot switch protocols."};
  if (head.framing.kind == Framing::Kind::length && head.framing.length > body_bytes_max) {
    return body_too_large;
  }
  return std::nullopt;
}

const policies::Policy* Coverage::covering(const policies::RequestView& request,
                                           policies::Document& body) const {
  const policies::Choice choice = rules_.policies().choose(candidates_, request, body);
  return choice.deciding(
      [&](const policies::Policy& policy) { return rules_.enforcement(policy); });
}

}  // namespace onceproxy::http
