#include "config/audit_reader.hpp"

#include "config/scalars.hpp"

namespace onceproxy::config {

using namespace std::chrono_literals;

Kind<store::AuditOptions> audit() {
  using A = store::AuditOptions;
  constexpr std::uint64_t mib = std::uint64_t{1} << 20;
  return section<A>(
      {"audit",
       {key<A>("enabled", &A::enabled, flag(),
               "Whether there is an audit log. false: GET /audit is 404."),
        key<A>("retention", &A::retention, duration(1min, 8'760h),
               "How long an entry is kept, if there is room. From 1m to 365d."),
        key<A>("max_bytes", &A::bytes_max, size(16 * mib, 1024 * 1024 * mib),
               "What the log holds, beside the store's own max_bytes; the oldest entries go. "
               "Refusals and duplicates get a quarter of it.")}});
}

}  // namespace onceproxy::config
