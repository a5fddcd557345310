#include "policies/policy.hpp"

#include <algorithm>

namespace onceproxy::policies {

void StatusSet::add(int status) {
  singles_.push_back(status);
}

void StatusSet::add_class(int hundreds) {
  classes_.push_back(hundreds);
}

bool StatusSet::has_single(int status) const {
  return std::find(singles_.begin(), singles_.end(), status) != singles_.end();
}

bool StatusSet::has_class(int hundreds) const {
  return std::find(classes_.begin(), classes_.end(), hundreds) != classes_.end();
}

}  // namespace onceproxy::policies
