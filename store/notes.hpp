// Notes: small values that the program keeps in the store by name, so that what it has learned
// survives a restart. The last value may be lost when the process ends, unless flush() has said
// that it is kept. A value is always replaced as a whole. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onceproxy::store {

class Notes {
 public:
  /// The value with that name; nothing if there is none.
  virtual std::optional<std::string> note(std::string_view name) const = 0;
  /// Keeps a value; it is on disk about a second later. Returns false and keeps nothing if it is
  /// larger than note_bytes_max, or if there are notes_max others.
  virtual bool keep(std::string_view name, std::string value) = 0;
  /// Removes the note; it is off the disk about a second later.
  virtual void forget(std::string_view name) = 0;
  /// Waits until all changes so far are on disk, about a second. Returns false if this takes longer
  /// than `patience`.
  virtual bool flush(std::chrono::milliseconds patience) = 0;
  /// The notes whose names begin with `prefix`: name and value, in the order of their names.
  virtual std::vector<std::pair<std::string, std::string>> notes(std::string_view prefix) const = 0;

 protected:
  ~Notes() = default;
};

inline constexpr std::size_t note_bytes_max = 16'384;
inline constexpr std::size_t notes_max = 4'096;

}  // namespace onceproxy::store
