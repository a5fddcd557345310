// The migrations of the schema: the SQL in sql/, built into the program. Private to this folder.
#pragma once

#include <array>
#include <string_view>

namespace onceproxy::store {

struct Migration {
  /// What the schema is once it ran.
  int version;
  std::string_view name;
  std::string_view sql;
};

/// In the order in which they run; several may make one version.
extern const std::array<Migration, 5> migrations;

}  // namespace onceproxy::store
