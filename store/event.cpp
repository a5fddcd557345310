#include "store/event.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace onceproxy::store {
namespace {

constexpr std::array<std::pair<DeliveryState, std::string_view>, 6> names{{
    {DeliveryState::pending, "PENDING"},
    {DeliveryState::failed, "FAILED"},
    {DeliveryState::notified, "NOTIFIED"},
    {DeliveryState::dead, "DEAD"},
    {DeliveryState::cancelled, "CANCELLED"},
    {DeliveryState::removed, "REMOVED"},
}};

char upper(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

}  // namespace

std::string_view name(DeliveryState state) {
  for (const auto& [each, name] : names) {
    if (each == state) return name;
  }
  return "";
}

std::optional<DeliveryState> delivery_state(std::string_view name) {
  for (const auto& [state, each] : names) {
    const bool same = std::ranges::equal(name, each, {}, upper);
    if (same) return state;
  }
  return std::nullopt;
}

}  // namespace onceproxy::store
