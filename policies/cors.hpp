// Cors: which pages of other origins may read the answers that onceproxy makes (the CORS protocol
// of the Fetch standard, 3.3). What the service itself answers is not touched. Plain values;
// thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::policies {

struct Cors {
  /// Every origin; `origins` is empty then, and `credentials` false.
  bool any = false;
  /// As browsers write them: "https://a.example", "http://localhost:3000".
  std::vector<std::string> origins;
  /// Whether pages may send cookies, client certificates and HTTP authentication along.
  bool credentials = false;
  /// Fields that scripts may read besides those of onceproxy's own.
  std::vector<std::string> expose;
  /// How long a browser may remember the answer to a preflight.
  std::chrono::seconds max_age{600};

  /// `origin` is the value of a request's Origin field; empty where it has none.
  bool allows(std::string_view origin) const {
    return !origin.empty() && (any || std::ranges::find(origins, origin) != origins.end());
  }
};

}  // namespace onceproxy::policies
