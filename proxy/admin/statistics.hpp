// What GET /stats shows: the exposition as "name: value" lines, counters from the last reset on.
// Private to this folder.
//
// Resetting is done here and not where it is counted: a worker's counters have one writer, and a
// scraper must see them grow for the process's life.
//
// Thread-safety: one thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace onceproxy::admin {

class Statistics {
 public:
  /// One line a sample, sorted as the exposition is; histograms' buckets are left out, their count
  /// and sum are shown.
  std::string lines(std::string_view exposition) const;
  /// Counters, and histograms' counts and sums, begin at zero from here.
  void reset(std::string_view exposition);

 private:
  std::map<std::string, double, std::less<>> at_reset_;
};

}  // namespace onceproxy::admin
