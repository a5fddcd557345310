// The request head of a delivery. It contains the fields of the event's request that the listener
// may get, and the fields by which the listener recognizes a repeat and the sender. Pure;
// thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "policies/delivery.hpp"
#include "proxy/delivery/signing.hpp"
#include "store/event.hpp"

namespace onceproxy::delivery {

/// The value of webhook-id: it is the same for all listeners and attempts of an event, and
/// different for every other event.
std::string webhook_id(const store::Event& event);

/// The value of Idempotency-Key: it is the same for all attempts of a delivery.
std::string delivery_key(const store::Event& event, std::string_view listener);

struct HeadTerms {
  /// `to: upstream`: the service gets the same fields as with a forward, including the client's key
  /// and credentials.
  bool to_upstream = false;
  /// The value of the Host field.
  std::string_view authority;
  /// The time of the attempt, in seconds since 1970.
  std::chrono::seconds now{0};
  /// nullptr if events are not signed.
  const SigningKeys* keys = nullptr;
  /// If empty, the event's own traceparent is used unchanged.
  std::string_view traceparent = {};
};

/// Appends the head to `out`. Authorization and Cookie of the request are left out unless the
/// listener names them.
void write_delivery_head(const store::Event& event, const policies::Listener& listener,
                         const HeadTerms& terms, std::string& out);

}  // namespace onceproxy::delivery
