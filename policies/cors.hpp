// Cors: the pages of other origins that may read the answers that onceproxy makes (the CORS
// protocol of the Fetch standard, 3.3). Answers of the service are not changed. Plain values;
// thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::policies {

struct Cors {
  /// Every origin is allowed; `origins` is then empty, and `credentials` false.
  bool any = false;
  /// The origins as browsers write them: "https://a.example", "http://localhost:3000".
  std::vector<std::string> origins;
  /// Whether pages may send cookies, client certificates and HTTP authentication.
  bool credentials = false;
  /// Fields that scripts may read in addition to onceproxy's own.
  std::vector<std::string> expose;
  /// How long a browser may cache the answer to a preflight.
  std::chrono::seconds max_age{600};

  /// `origin`: the value of a request's Origin field; empty if there is none.
  bool allows(std::string_view origin) const {
    return !origin.empty() && (any || std::ranges::find(origins, origin) != origins.end());
  }
};

}  // namespace onceproxy::policies
