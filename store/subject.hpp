// Subject: what an operation is about, in words that an operator asks by: the path of its request
// and the entity that it acts on. Kept in records and in the audit log; nothing is decided by it.
// Plain values. Thread-safe as any value is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace onceproxy::store {

inline constexpr std::size_t path_bytes_max = 255;
inline constexpr std::size_t entity_type_bytes_max = 63;
inline constexpr std::size_t entity_id_bytes_max = 255;

/// Empty where it is not known, where there is none, and where an earlier version wrote it down.
struct Subject {
  /// Without the query. At most path_bytes_max; longer is cut.
  std::string_view path = {};
  /// At most their bounds; longer is cut.
  std::string_view entity_type = {};
  std::string_view entity_id = {};
};

/// Which subjects are asked for. Empty texts: whatever it is.
struct SubjectFilter {
  /// The whole path, or, with `*` at the end, how it begins.
  std::string path = {};
  std::string entity_type = {};
  std::string entity_id = {};

  bool any() const { return path.empty() && entity_type.empty(); }

  bool admits(const Subject& subject) const {
    if (!entity_type.empty() &&
        (subject.entity_type != entity_type.substr(0, entity_type_bytes_max) ||
         subject.entity_id != entity_id.substr(0, entity_id_bytes_max))) {
      return false;
    }
    if (path.empty()) return true;
    const std::string_view wanted = path;
    if (wanted.back() != '*') return subject.path == wanted.substr(0, path_bytes_max);
    return subject.path.starts_with(wanted.substr(0, wanted.size() - 1).substr(0, path_bytes_max));
  }
};

}  // namespace onceproxy::store
