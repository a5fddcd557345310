// PolicySet: the policies of one configuration, in order, with an index over their paths so that
// a look-up stays cheap with hundreds of them. Immutable; thread-safe.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "policies/conditions.hpp"
#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// What the conditions of some policies say about a request.
struct Choice {
  /// The first whose conditions all hold; nullptr when none does.
  const Policy* covering = nullptr;
  /// Those before it that may cover the request: what is left of their conditions asks a body that
  /// cannot be read. In order.
  std::vector<const Policy*> unclear = {};

  /// The policy that decides about the request; nullptr when none covers it. The first that is
  /// unclear does, unless it refuses nothing (`enforcement(policy)` is not for all): then those
  /// behind it are asked first, so that switching one policy off opens no way round another.
  template <typename EnforcementOf>
  const Policy* deciding(EnforcementOf enforcement) const {
    for (const Policy* policy : unclear) {
      if (enforcement(*policy).holds_for_all()) return policy;
    }
    if (covering != nullptr || unclear.empty()) return covering;
    return unclear.front();
  }
};

/// Whether what a match asks of the body holds, for a request whose head it allows.
Truth body_matches(const Match& match, const RequestView& request, Document& body);

class PolicySet {
 public:
  explicit PolicySet(std::vector<Policy> policies);
  ~PolicySet();
  PolicySet(const PolicySet&) = delete;
  PolicySet& operator=(const PolicySet&) = delete;

  const std::vector<Policy>& policies() const { return policies_; }

  /// The policies that the head alone allows, in order, up to and including the first that asks
  /// nothing more (no `where`, no overriding method in a form). Policies with enforcement off take
  /// part: they shadow later ones. Empty, and without an allocation, for a request that no policy
  /// covers.
  std::vector<const Policy*> candidates(const RequestView& request) const;

  /// The policies that may cover a request of this method on this path (in normal form), whatever
  /// its fields and its body are; in order.
  std::vector<const Policy*> on_path(std::string_view method, std::string_view path) const;

  /// Asks the conditions of `candidates` that may need the body. `body` is read only where one
  /// does.
  Choice choose(const std::vector<const Policy*>& candidates, const RequestView& request,
                Document& body) const;

 private:
  struct Index;
  std::vector<Policy> policies_;
  std::unique_ptr<const Index> index_;
};

}  // namespace onceproxy::policies
