#include "config/lease_reader.hpp"

#include "config/scalars.hpp"

namespace onceproxy::config {

using namespace std::chrono_literals;
using policies::AdaptiveLease;
using std::chrono::milliseconds;

namespace {

/// As it is written.
struct LeaseMap {
  AdaptiveLease adaptive;
};

void check_bounds(const Node& node, const AdaptiveLease& bounds) {
  if (bounds.min <= bounds.max) return;
  const auto max = node.get("max");
  (max ? *max : node).problem("max is less than min");
}

Kind<LeaseMap> lease_map() {
  auto bounds = section<AdaptiveLease>(
      {"lease.adaptive",
       {key<AdaptiveLease>("min", &AdaptiveLease::min, duration(10ms, 24h),
                           "The shortest lease, from 10ms to 24h."),
        key<AdaptiveLease>("max", &AdaptiveLease::max, duration(10ms, 24h),
                           "The longest lease, from 10ms to 24h. It also applies until 20 requests "
                           "have been measured.")}},
      check_bounds);
  return section<LeaseMap>(
      {"lease",
       {key<LeaseMap>(
           "adaptive", &LeaseMap::adaptive, std::move(bounds),
           "The lease is three times the 99th percentile of the time that this policy's requests "
           "take, between min and max, and never below upstream.response_timeout.",
           Need::required)}});
}

}  // namespace

Kind<LeaseDraft> lease() {
  const Kind<milliseconds> time = duration(10ms, 24h);
  const Kind<LeaseMap> map = lease_map();
  Kind<LeaseDraft> kind;
  kind.names = map.names;
  kind.read = [time, map](const Node& node) -> std::optional<LeaseDraft> {
    if (!node.is_map()) {
      const auto value = time.read(node);
      if (!value) return std::nullopt;
      return LeaseDraft{*value, std::nullopt};
    }
    const auto value = map.read(node);
    if (!value) return std::nullopt;
    return LeaseDraft{value->adaptive.max, value->adaptive};
  };
  kind.schema = [time, map] {
    return JsonObject({{"anyOf", JsonArray({time.schema(), map.schema()})}});
  };
  kind.print = [time](const LeaseDraft& value) { return time.print(value.time); };
  return kind;
}

}  // namespace onceproxy::config
