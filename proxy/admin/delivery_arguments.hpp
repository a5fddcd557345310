// The arguments of /deliveries. Private to this folder. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "store/ledger.hpp"

namespace onceproxy::admin {

struct DeliveryQuery {
  store::DeliveryFilter filter;
  /// Only deliveries that wait for an operator.
  bool held = false;
  std::optional<store::DeliveryKey> after;
  std::size_t limit = 100;
};

/// The query, or what is wrong with it.
tl::expected<DeliveryQuery, std::string> parse_delivery_query(
    const std::multimap<std::string, std::string>& arguments, store::WallTime now);

/// `number/listener`, as in cursors and paths.
std::optional<store::DeliveryKey> parse_delivery_key(std::string_view text);
std::string text_of(const store::DeliveryKey& key);

}  // namespace onceproxy::admin
