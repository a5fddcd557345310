// Few: findings of an Envoy's configuration, which may have thousands of routes: of each kind only
// the first are reported, and the rest are counted. Not thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/cli/doctor/findings.hpp"

namespace onceproxy::doctor {

class Few {
 public:
  static constexpr std::size_t told_max = 10;

  /// `where` the fault is, and `what` it is, which is the same for all of a kind.
  void warn(const std::string& where, const std::string& what, const std::string& way_out) {
    Kind& kind = kinds_[what];
    if (++kind.count <= told_max) findings_.warn(where + ": " + what, way_out);
    kind.way_out = way_out;
  }
  void ok(std::string told) { findings_.ok(std::move(told)); }
  /// None was a warning.
  bool good() const { return kinds_.empty(); }

  std::vector<Finding> take() {
    for (const auto& [what, kind] : kinds_) {
      if (kind.count <= told_max) continue;
      findings_.warn("and " + std::to_string(kind.count - told_max) + " more: " + what,
                     kind.way_out);
    }
    return findings_.take();
  }

 private:
  struct Kind {
    std::size_t count = 0;
    std::string way_out;
  };
  Findings findings_{"envoy"};
  std::map<std::string, Kind> kinds_;
};

}  // namespace onceproxy::doctor
