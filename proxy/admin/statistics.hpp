// The answer to GET /stats: the exposition as "name: value" lines or as Envoy's JSON, with counters
// since the last reset. Private to this folder.
//
// Counters are reset here and not where they are counted, because a worker's counters have one
// writer, and a scraper must see them grow.
//
// Thread-safety: used on one thread.
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

/// A filter for samples that match the regular expression (RE2). The error is a sentence. The
/// expression has at most 1 KiB, and its automaton 1 MiB.
tl::expected<NameFilter, std::string> name_filter(const std::string& expression);

/// Counts of forwarded requests.
struct UpstreamCounts {
  std::uint64_t total = 0;
  /// With a 5xx answer or without any.
  std::uint64_t failed = 0;
};
UpstreamCounts upstream_counts(std::string_view exposition);

class Statistics {
 public:
  /// One line for each sample, in the order of the exposition. The buckets of histograms are left
  /// out; their count and sum are shown. An empty filter shows all.
  std::string lines(std::string_view exposition, const NameFilter& filter = {}) const;
  /// The same as {"stats":[{"name":…,"value":…}]}.
  std::string json(std::string_view exposition, const NameFilter& filter = {}) const;
  /// From now on counters, and the counts and sums of histograms, begin at zero.
  void reset(std::string_view exposition);

 private:
  template <typename Show>
  void each(std::string_view exposition, const NameFilter& filter, Show show) const;

  std::map<std::string, double, std::less<>> at_reset_;
};

}  // namespace onceproxy::admin
