// The head of a delivery: the fields of the event's request that its listener may get, and those by
// which it recognises a repeat and who sent it.
// Pure; thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "policies/delivery.hpp"
#include "proxy/delivery/signing.hpp"
#include "store/event.hpp"

namespace onceproxy::delivery {

/// What webhook-id says of an event: the same for all of its listeners and attempts, and of no
/// other event.
std::string webhook_id(const store::Event& event);

/// What Idempotency-Key says of a delivery: the same in each of its attempts.
std::string delivery_key(const store::Event& event, std::string_view listener);

struct HeadTerms {
  /// `to: upstream`: the service gets what it would have got as the request came, its own key and
  /// credentials included, and the fields of a forward.
  bool to_upstream = false;
  /// The Host that the listener is asked as.
  std::string_view authority;
  /// Of the attempt, in seconds since 1970.
  std::chrono::seconds now{0};
  /// nullptr: nothing is signed.
  const SigningKeys* keys = nullptr;
  /// Empty: the event's own, as it came.
  std::string_view traceparent = {};
};

/// Appends the head. Authorization and Cookie of the request are left out unless the listener names
/// them.
void write_delivery_head(const store::Event& event, const policies::Listener& listener,
                         const HeadTerms& terms, std::string& out);

}  // namespace onceproxy::delivery
