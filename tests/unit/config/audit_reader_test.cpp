#include "config/audit_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

TEST_CASE("There is an audit log unless the file says otherwise") {
  const store::AuditOptions audit = loaded("").audit;
  CHECK(audit.enabled);
  CHECK(audit.retention == 7 * 24h);
  CHECK(audit.bytes_max == std::uint64_t{1} << 30);
  CHECK(!loaded("audit: {enabled: false}").audit.enabled);
}

TEST_CASE("Every key of audit is read") {
  const store::AuditOptions audit =
      loaded("audit: {enabled: true, retention: 30d, max_bytes: 64MiB}").audit;
  CHECK(audit.enabled);
  CHECK(audit.retention == 30 * 24h);
  CHECK(audit.bytes_max == std::uint64_t{64} << 20);
}

TEST_CASE("The audit log and the store do not take each other's keys") {
  const Settings settings =
      loaded("audit: {max_bytes: 16MiB}\nstore: {rocksdb: {path: /s, max_bytes: 1GiB}}");
  CHECK(settings.store.bytes_max == std::uint64_t{1} << 30);
  CHECK(settings.audit.bytes_max == std::uint64_t{16} << 20);
  CHECK(settings.store.path == "/s");
}

TEST_CASE("An audit log that could hold nothing is refused") {
  CHECK(problems("audit: {max_bytes: 1MiB}").size() == 1);
  CHECK(problems("audit: {retention: 1s}").size() == 1);
  CHECK(problems("audit: {enabled: maybe}").size() == 1);
  CHECK(problems("audit: {max_size: 1GiB}").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
