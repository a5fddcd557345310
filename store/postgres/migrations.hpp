// The migrations of the schema: the SQL in sql/, built into the program. Private to this folder.
#pragma once

#include <array>
#include <string_view>

namespace onceproxy::store {

struct Migration {
  /// The version of the schema after it has run.
  int version;
  std::string_view name;
  std::string_view sql;
};

/// The oldest version whose running instances may go on when the schema is migrated to `version`:
/// that one, unless the migration keeps everything that such an instance uses as it is. A migration
/// of a program with another digests_version must look up earlier digests, and keeps nothing.
constexpr int needed_for(int version) {
  return version;
}

/// In the order in which they run. Several of them may lead to one version.
extern const std::array<Migration, 11> migrations;

}  // namespace onceproxy::store
