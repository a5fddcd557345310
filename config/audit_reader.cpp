#include "config/audit_reader.hpp"

#include "config/scalars.hpp"
#include "config/tls_reader.hpp"

namespace onceproxy::config {

using namespace std::chrono_literals;

Kind<AuditSettings> audit() {
  using A = AuditSettings;
  constexpr std::uint64_t mib = std::uint64_t{1} << 20;
  return section<A>(
      {"audit",
       {key<A>("enabled", &A::enabled, flag(),
               "Whether there is an audit log. false: GET /audit is 404."),
        key<A>("retention", &A::retention, duration(1min, 8'760h),
               "How long an entry is kept, if there is room. From 1m to 365d."),
        key<A>("max_bytes", &A::bytes_max, size(16 * mib, 1024 * 1024 * mib),
               "Maximum size of the log, in addition to max_bytes of the store. The oldest entries "
               "are removed first. Refusals and duplicates get a quarter of it."),
        key<A>("path", &A::path, file_path(),
               "With store.postgres: the directory of this instance's log, which no other instance "
               "may use. If this key is absent, there is no audit log. With store.rocksdb it is "
               "the folder `audit` of store.rocksdb.path.")}});
}

void check_audit_path(const Node& document) {
  const auto audit = document.get("audit");
  const auto path = audit ? audit->get("path") : std::nullopt;
  if (!path) return;
  const auto store = document.get("store");
  if (store && store->get("postgres")) return;
  path->problem(
      "is for store.postgres; with RocksDB the log is in the folder `audit` of store.rocksdb.path, "
      "so remove it");
}

}  // namespace onceproxy::config
