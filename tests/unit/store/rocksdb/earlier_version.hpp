// A directory as a program with digests of version 1 left it, which knew nothing of such versions.
#pragma once

#include "store/rocksdb/database.hpp"
#include "store/rocksdb/meta.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::testing {

/// Closes the store and takes out what that version did not write.
inline void leave_as_version_one(Fixture& fixture) {
  fixture.store.reset();
  const RocksDbObserver observer;
  Database database(fixture.options, fixture.tuning, fixture.clock, observer);
  database.open();
  rocksdb::WriteBatch batch;
  database.add(batch, Family::meta, meta::digests, std::nullopt);
  database.add(batch, Family::meta, meta::digests_fence_ceiling, std::nullopt);
  if (!database.write(batch, true).ok()) throw std::runtime_error("not written");
  database.close();
}

}  // namespace onceproxy::store::testing
