// PolicySet: the policies of one configuration, in order, with an index over their paths so that
// a look-up stays cheap with hundreds of them. Immutable; thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

class PolicySet {
 public:
  explicit PolicySet(std::vector<Policy> policies);
  ~PolicySet();
  PolicySet(const PolicySet&) = delete;
  PolicySet& operator=(const PolicySet&) = delete;

  const std::vector<Policy>& policies() const { return policies_; }

  /// The policies that the head alone allows, in order, up to and including the first that asks
  /// nothing more (no `where`). Policies with enforcement off take part: they shadow later ones.
  /// Empty, and without an allocation, for a request that no policy covers.
  std::vector<const Policy*> candidates(const RequestView& request) const;

  /// The first of `candidates` whose `where` holds; nullptr when none does. `body` is read only
  /// where a condition asks for it.
  const Policy* choose(const std::vector<const Policy*>& candidates, const RequestView& request,
                       Document& body) const;

 private:
  struct Index;
  std::vector<Policy> policies_;
  std::unique_ptr<const Index> index_;
};

}  // namespace onceproxy::policies
