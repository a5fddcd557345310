#include "proxy/http/near_misses.hpp"

#include "policies/near_miss.hpp"

namespace onceproxy::http {

namespace {

constexpr std::chrono::milliseconds interval{5};

telemetry::NearMiss counted(policies::NearMiss what) {
  switch (what) {
    case policies::NearMiss::method:
      return telemetry::NearMiss::method;
    case policies::NearMiss::header:
      return telemetry::NearMiss::header;
    case policies::NearMiss::condition:
      return telemetry::NearMiss::condition;
    case policies::NearMiss::path:
      break;
  }
  return telemetry::NearMiss::path;
}

}  // namespace

void NearMisses::look(const gate::Rules& rules, const policies::RequestView& request, Time now) {
  if (now < next_) return;
  next_ = now + interval;
  for (const auto& [missed, what] : policies::near_misses(rules.policies().policies(), request)) {
    metrics_.near_miss(rules.id(*missed), counted(what));
  }
}

}  // namespace onceproxy::http
