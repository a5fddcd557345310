// Subject: what an operation is about, for operators: the path of its request and the entity that
// it acts on. Kept in records and in the audit log; no decision depends on it. Plain values.
// Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace onceproxy::store {

inline constexpr std::size_t path_bytes_max = 255;
inline constexpr std::size_t entity_type_bytes_max = 63;
inline constexpr std::size_t entity_id_bytes_max = 255;

/// Empty if it is not known, if there is none, or if an earlier version wrote the record.
struct Subject {
  /// Without the query. At most path_bytes_max; a longer one is cut off.
  std::string_view path = {};
  /// At most their limits; longer texts are cut off.
  std::string_view entity_type = {};
  std::string_view entity_id = {};
};

/// A filter for subjects. An empty text matches everything.
struct SubjectFilter {
  /// The whole path or, with `*` at the end, its beginning.
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
