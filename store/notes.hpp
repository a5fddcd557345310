// Notes: small values that the program keeps in the store beside the operations, by name, so that
// what it has learnt outlives it. Nothing is promised for them: a value that was just handed in may
// be lost with the process, and is replaced as a whole.
// Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::store {

class Notes {
 public:
  /// What is kept under that name; nothing where there is none.
  virtual std::optional<std::string> note(std::string_view name) const = 0;
  /// Keeps it from about a second later on. False, and nothing is kept, where it is larger than
  /// note_bytes_max or there are notes_max others.
  virtual bool keep(std::string_view name, std::string value) = 0;

 protected:
  ~Notes() = default;
};

inline constexpr std::size_t note_bytes_max = 4'096;
inline constexpr std::size_t notes_max = 4'096;

}  // namespace onceproxy::store
