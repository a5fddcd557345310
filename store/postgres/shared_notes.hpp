// SharedNotes: the notes of the shared store, in memory and in the table `notes`. Every instance
// reads them when it starts. If two instances keep a note under the same name, the later one stays.
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

class SharedNotes final : public Notes {
 public:
  /// Adds a note that was read from the database; to be called before the object is used.
  void found(std::string name, std::string value);

  std::optional<std::string> note(std::string_view name) const override;
  bool keep(std::string_view name, std::string value) override;

  /// The names and values of notes that have changed since the last call.
  std::vector<std::pair<std::string, std::string>> take();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> all_;
  std::set<std::string, std::less<>> changed_;
};

}  // namespace onceproxy::store
