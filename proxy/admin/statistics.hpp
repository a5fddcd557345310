// What GET /stats shows: the exposition as "name: value" lines or as Envoy's JSON, counters from
// the last reset on. Private to this folder.
//
// Resetting is done here and not where it is counted: a worker's counters have one writer, and a
// scraper must see them grow for the process's life.
//
// Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::admin {

/// Whether a sample with this name and these labels is shown.
using NameFilter = std::function<bool(std::string_view)>;

/// Those in which the regular expression (RE2) is found. The error is a sentence. The expression
/// has at most 1 KiB, and its automaton 1 MiB.
tl::expected<NameFilter, std::string> name_filter(const std::string& expression);

/// Of requests that were forwarded.
struct UpstreamCounts {
  std::uint64_t total = 0;
  /// With an answer of 5xx, or without any.
  std::uint64_t failed = 0;
};
UpstreamCounts upstream_counts(std::string_view exposition);

class Statistics {
 public:
  /// One line a sample, sorted as the exposition is; histograms' buckets are left out, their count
  /// and sum are shown. An empty filter shows all.
  std::string lines(std::string_view exposition, const NameFilter& filter = {}) const;
  /// The same as {"stats":[{"name":…,"value":…}]}.
  std::string json(std::string_view exposition, const NameFilter& filter = {}) const;
  /// Counters, and histograms' counts and sums, begin at zero from here.
  void reset(std::string_view exposition);

 private:
  template <typename Show>
  void each(std::string_view exposition, const NameFilter& filter, Show show) const;

  std::map<std::string, double, std::less<>> at_reset_;
};

}  // namespace onceproxy::admin
