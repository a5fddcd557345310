// AccessTime: a time as %START_TIME(…)% writes it: those conversions of strftime that are the same
// in every locale, in UTC, and Envoy's own conversions for seconds since 1970 and fractions of a
// second. The format is parsed once. Immutable; thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace onceproxy::telemetry {

class AccessTime {
 public:
  /// An empty format is Envoy's default, %Y-%m-%dT%H:%M:%S.%3fZ. The error is a sentence.
  static tl::expected<AccessTime, std::string> parse(std::string_view format);

  void append(std::string& out, std::chrono::system_clock::time_point time) const;

 private:
  struct Part {
    /// 0: `literal`; 'f': a fraction of a second; otherwise strftime's conversion.
    char conversion = 0;
    /// The number of digits of a fraction.
    int digits = 0;
    std::string literal = {};
  };
  void add_literal(char c);

  std::vector<Part> parts_;
};

}  // namespace onceproxy::telemetry
