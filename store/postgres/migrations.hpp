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

/// In the order in which they run. Several of them may lead to one version.
extern const std::array<Migration, 11> migrations;

}  // namespace onceproxy::store
