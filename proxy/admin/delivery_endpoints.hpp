// What became of the events that are delivered, and what an operator does about it: /deliveries of
// openapi.yaml. It never shows a payload.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "proxy/admin/record_endpoints.hpp"
#include "proxy/admin/server.hpp"
#include "store/clock.hpp"
#include "store/ledger.hpp"

namespace onceproxy::admin {

struct DeliveryHooks {
  OperatorActed acted;
  /// A delivery that may have been holding up others of that listener has ended.
  std::function<void(const std::string& listener)> looked_past;
};

/// `ledger` and `clock` outlive the server.
void add_delivery_endpoints(Server& server, store::Ledger& ledger, const store::Clock& clock,
                            DeliveryHooks hooks);

}  // namespace onceproxy::admin
