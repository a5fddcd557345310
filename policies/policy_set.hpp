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

/// The result of the conditions of some policies for a request.
struct Choice {
  /// The first policy whose conditions all hold; nullptr if there is none.
  const Policy* covering = nullptr;
  /// The policies before it that may cover the request: their remaining conditions read a body that
  /// is unreadable. In order.
  std::vector<const Policy*> unclear = {};

  /// The policy that decides about the request; nullptr if none covers it. It is the first unclear
  /// one, unless that refuses nothing (`enforcement(policy)` does not apply to all requests). In
  /// this case the following policies are tried first, so that switching one policy off does not
  /// let a request bypass another.
  template <typename EnforcementOf>
  const Policy* deciding(EnforcementOf enforcement) const {
    for (const Policy* policy : unclear) {
      if (enforcement(*policy).holds_for_all()) return policy;
    }
    if (covering != nullptr || unclear.empty()) return covering;
    return unclear.front();
  }
};

/// Whether the conditions of a match on the body hold, for a request whose head it allows.
Truth body_matches(const Match& match, const RequestView& request, Document& body);

class PolicySet {
 public:
  explicit PolicySet(std::vector<Policy> policies);
  ~PolicySet();
  PolicySet(const PolicySet&) = delete;
  PolicySet& operator=(const PolicySet&) = delete;

  const std::vector<Policy>& policies() const { return policies_; }

  /// The policies that match the head, in order, up to and including the first one that does not
  /// depend on the body (no `where`, no overriding method in a form). Policies with enforcement off
  /// are included, because they hide later ones. Empty, and without an allocation, for a request
  /// that no policy covers.
  std::vector<const Policy*> candidates(const RequestView& request) const;

  /// The policies that may cover a request with this method and path (in normal form), regardless
  /// of its fields and body; in order.
  std::vector<const Policy*> on_path(std::string_view method, std::string_view path) const;

  /// Evaluates the conditions of `candidates` that may need the body. `body` is read only if one
  /// needs it.
  Choice choose(const std::vector<const Policy*>& candidates, const RequestView& request,
                Document& body) const;

 private:
  struct Index;
  std::vector<Policy> policies_;
  std::unique_ptr<const Index> index_;
};

}  // namespace onceproxy::policies
