// /deliveries (openapi.yaml): shows the deliveries of events, and lets an operator redrive or drop
// them. Payloads are never shown.
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
  /// A delivery has ended that may have delayed others of that listener.
  std::function<void(const store::DeliveryKey& key)> looked_past;
};

/// `ledger` and `clock` must outlive the server.
void add_delivery_endpoints(Server& server, store::Ledger& ledger, const store::Clock& clock,
                            DeliveryHooks hooks);

}  // namespace onceproxy::admin
