// KeptNotes: the notes of the RocksDB store, in memory and in the family `meta`, under
// "note " and their name. The committer writes what has changed with its tick. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/notes.hpp"
#include "store/rocksdb/database.hpp"

namespace onceproxy::store {

class KeptNotes final : public Notes {
 public:
  /// Once, at startup, on an open database. What cannot be read is as if it had never been kept.
  void read(const Database& database);

  std::optional<std::string> note(std::string_view name) const override;
  bool keep(std::string_view name, std::string value) override;

  /// Key and value of what has changed since it was last asked for.
  std::vector<std::pair<std::string, std::string>> take();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> all_;
  std::set<std::string, std::less<>> changed_;
};

}  // namespace onceproxy::store
