// KeptListener: a listener as a policy configured it last, with all that a delivery to it needs, so
// that what is pending for it can be delivered after the configuration has stopped naming it, also
// in a later process. Kept as bytes beside the events; the grammar stands above the codec.
// Pure; thread-safe as any value is.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "policies/delivery.hpp"

namespace onceproxy::delivery {

struct KeptListener {
  /// The policy whose events go there.
  std::string policy;
  policies::Listener listener;
  /// As in DeliveryRules; empty: nothing is signed.
  std::string signing_key_file;

  bool operator==(const KeptListener&) const = default;
};

std::string encode(const KeptListener& kept);
/// Nothing where the bytes are none, or of a version that is not known.
std::optional<KeptListener> decode_kept_listener(std::string_view bytes);

}  // namespace onceproxy::delivery
