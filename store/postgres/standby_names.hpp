// What synchronous_standby_names says: for how many standbys a commit waits, and of how many. Pure.
// Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace onceproxy::store {

struct StandbyNames {
  std::size_t waited = 0;
  /// How many are named; `any` for "*".
  std::size_t named = 0;

  static constexpr std::size_t any = static_cast<std::size_t>(-1);
  friend bool operator==(const StandbyNames&, const StandbyNames&) = default;
};
StandbyNames standby_names(std::string_view setting);

/// For an operator: which standby may be promoted, if not every one that is named has what counts
/// as durable. Empty if each of them has it.
std::string promotion_advice(std::string_view setting);

}  // namespace onceproxy::store
