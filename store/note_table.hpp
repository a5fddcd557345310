// NoteTable: the notes of a store in memory, and which of them have changed since they were last
// written. The store reads them when it starts, and writes the changes.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
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
  std::vector<std::pair<std::string, std::string>> notes(std::string_view prefix) const override;

  /// The notes that have changed since the last call: name and value; no value if the note was
  /// removed.
  std::vector<std::pair<std::string, std::optional<std::string>>> take();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> all_;
  std::set<std::string, std::less<>> changed_;
};

}  // namespace onceproxy::store
