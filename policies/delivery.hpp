// How the requests of a policy are delivered instead of forwarded: the listeners and how each is
// attempted, and when the client is acknowledged. The data model that config/ fills, both from the
// configuration and from a `listeners_file`. Plain values. Thread-safe: const after construction.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace onceproxy::policies {

/// host:port (an address, IPv6 without brackets, or a name) or a unix socket's path.
struct ListenerAddress {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;

  bool operator==(const ListenerAddress&) const = default;
};

/// A field that a listener gets, in the place of the request's field of that name.
struct ListenerField {
  std::string name;
  /// The value; where `from_request`, the name of the request's field whose value it is. This is
  /// how a listener gets Authorization or Cookie of the request, which nobody gets otherwise.
  std::string value;
  bool from_request = false;

  bool operator==(const ListenerField&) const = default;
};

/// Between two attempts: `initial`, doubled with each attempt, at most `max`; of each a random
/// part, up to the share `jitter`, is taken off.
struct Backoff {
  std::chrono::milliseconds initial{1'000};
  std::chrono::milliseconds max{600'000};
  /// 0 to 1.
  double jitter = 0.2;

  bool operator==(const Backoff&) const = default;
};

/// At most `limit` attempts at once, then one each `per / limit`.
struct ListenerRate {
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};

  bool operator==(const ListenerRate&) const = default;
};

struct Listener {
  /// 1 to 63 of letters, digits, `-`, `_` and `.`. One name is one listener, whichever policies
  /// name it: its address, max_concurrency and rate are the same in all of them, and so are its
  /// queue and its circuit.
  std::string name;
  ListenerAddress address;
  /// Where events go; empty: the target of the event's request.
  std::string path;
  std::vector<ListenerField> headers;
  /// Of one attempt, from connecting to the end of the answer.
  std::chrono::milliseconds timeout{10'000};
  /// At most so many, then the delivery is dead. From 1.
  std::uint32_t attempts = 8;
  Backoff backoff;
  /// Attempts under way at once. From 1.
  std::size_t concurrency_max = 16;
  /// Absent: no limit.
  std::optional<ListenerRate> rate;

  bool operator==(const Listener&) const = default;
};

using ListenerList = std::vector<Listener>;

/// The listener of `to: upstream`; no other may have the name.
inline constexpr const char* upstream_listener = "upstream";

/// When the client is acknowledged.
struct Acknowledge {
  enum class When {
    stored,  ///< once the event is durable
    all,     ///< once every listener was notified or has ended otherwise
    first,   ///< once `count` were notified
  } when = When::stored;
  std::uint32_t count = 0;
  /// all, first: no longer than this.
  std::chrono::milliseconds timeout{10'000};
};

/// `delivery` of a policy.
struct DeliveryRules {
  /// Written in the configuration. With `to_upstream` one, of that name: address and headers are
  /// the upstream's business. Empty where `listeners_file` is given; gate::Rules knows what is in
  /// the file now.
  std::shared_ptr<const ListenerList> listeners = std::make_shared<const ListenerList>();
  /// Empty: none.
  std::string listeners_file;
  /// One service, retried; `outcome` applies to it.
  bool to_upstream = false;
  Acknowledge acknowledge;
  /// Dead deliveries are kept for dead_letters.retention.
  bool dead_letter = true;
  /// A file with the key that webhook-signature is made with; empty: nothing is signed.
  std::string signing_key_file;
};

}  // namespace onceproxy::policies
