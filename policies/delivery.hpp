// How the requests of a policy are delivered instead of forwarded: the listeners, how each is
// attempted, and when the client is acknowledged. config/ fills these structs, from the
// configuration and from a `listeners_file`. Plain values. Thread-safe: const after construction.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/io/endpoint.hpp"

namespace onceproxy::policies {

/// TLS on connections to a listener: names of files in PEM form, and the name in its certificate.
struct ListenerTls {
  /// A file, or "system".
  std::string ca = "system";
  /// A host name or an IP address; never empty.
  std::string server_name;
  /// onceproxy's own, for a listener that requests one. Either both or neither.
  std::string certificate;
  std::string key;

  bool operator==(const ListenerTls&) const = default;
};

/// A field that a listener gets in place of the request's field with that name.
struct ListenerField {
  std::string name;
  /// The value; with `from_request` the name of the request's field whose value is used. Only in
  /// this way does a listener get Authorization or Cookie of the request.
  std::string value;
  bool from_request = false;

  bool operator==(const ListenerField&) const = default;
};

/// The pause between two attempts: `initial`, doubled with each attempt, at most `max`. A random
/// part of each pause, up to the share `jitter`, is subtracted.
struct Backoff {
  std::chrono::milliseconds initial{1'000};
  std::chrono::milliseconds max{600'000};
  /// From 0 to 1.
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
  /// 1 to 63 of letters, digits, `-`, `_` and `.`. A name identifies one listener in all policies:
  /// its address, tls, max_concurrency and rate are the same everywhere, and it has one queue and
  /// one circuit.
  std::string name;
  io::Endpoint address;
  /// The path of the requests; empty: the target of the event's request.
  std::string path;
  std::vector<ListenerField> headers;
  /// The time for one attempt, from connecting to the end of the answer.
  std::chrono::milliseconds timeout{10'000};
  /// After this many attempts the delivery is dead. From 1.
  std::uint32_t attempts = 8;
  Backoff backoff;
  /// The largest number of attempts under way at once. From 1.
  std::size_t concurrency_max = 16;
  /// Absent: no limit.
  std::optional<ListenerRate> rate;
  /// Absent: plain HTTP.
  std::optional<ListenerTls> tls;

  bool operator==(const Listener&) const = default;
};

using ListenerList = std::vector<Listener>;

/// The name of the listener of `to: upstream`; no other listener may have it.
inline constexpr const char* upstream_listener = "upstream";

/// When the client is acknowledged.
struct Acknowledge {
  enum class When {
    stored,  ///< once the event is durable
    all,     ///< once every delivery has succeeded or ended
    first,   ///< once `count` deliveries have succeeded
  } when = When::stored;
  std::uint32_t count = 0;
  /// For all and first: the longest time to wait.
  std::chrono::milliseconds timeout{10'000};
};

/// What happens to a listener's pending deliveries when the policy, or the whole configuration,
/// does not name it any more.
enum class RemovedListeners {
  remove,  ///< they end as removed
  finish,  ///< they are delivered with the listener's last configuration
};

/// `delivery` of a policy.
struct DeliveryRules {
  /// The listeners in the configuration. With `to_upstream` there is one, with its reserved name,
  /// and its address and headers are not used. Empty with `listeners_file`; gate::Rules has the
  /// current content of the file.
  std::shared_ptr<const ListenerList> listeners = std::make_shared<const ListenerList>();
  /// Empty if there is none.
  std::string listeners_file;
  /// Events are delivered to the upstream, and `outcome` applies.
  bool to_upstream = false;
  Acknowledge acknowledge;
  RemovedListeners removed_listeners = RemovedListeners::remove;
  /// Whether dead deliveries are kept for dead_letters.retention.
  bool dead_letter = true;
  /// The file with the key for webhook-signature; empty: events are not signed.
  std::string signing_key_file;
};

}  // namespace onceproxy::policies
