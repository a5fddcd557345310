// NoteTable: the notes of a store in memory, and which of them have changed since they were last
// written. The store reads them when it starts, and writes the changes.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/notes.hpp"

namespace onceproxy::store {

class NoteTable final : public Notes {
 public:
  /// Adds a note that was read from the disk or the database; an empty value is no note. Call it
  /// only before the table is used.
  void found(std::string name, std::string value);

  std::optional<std::string> note(std::string_view name) const override;
  bool keep(std::string_view name, std::string value) override;
  void forget(std::string_view name) override;
  bool flush(std::chrono::milliseconds patience) override;
  std::vector<std::pair<std::string, std::string>> notes(std::string_view prefix) const override;

  /// The notes that have changed since the last call: name and value; no value if the note was
  /// removed.
  std::vector<std::pair<std::string, std::optional<std::string>>> take();
  /// Says whether what the last take() returned was written. If it was not, it is returned again.
  void written(bool good);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> all_;
  std::set<std::string, std::less<>> changed_;
  /// Those that the last take() returned.
  std::set<std::string, std::less<>> taken_;
  /// The numbers of changes: all, those that were taken, and those that were written.
  std::uint64_t changes_ = 0;
  std::uint64_t changes_taken_ = 0;
  std::uint64_t changes_written_ = 0;
  std::condition_variable written_;
};

}  // namespace onceproxy::store
