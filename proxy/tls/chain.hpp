// Whether certificates lead from one to the next, and how long they are good. Private to this
// folder. Pure but for the system's store of certificates. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "proxy/tls/handles.hpp"

namespace onceproxy::tls {

std::chrono::system_clock::time_point not_before(const X509& certificate);
std::chrono::system_clock::time_point not_after(const X509& certificate);
/// 2026-11-27T08:00:00Z.
std::string text_of(std::chrono::system_clock::time_point time);

/// Why a chain in which each certificate should have issued the one before it is none (RFC 8446,
/// section 4.4.2).
struct BrokenChain {
  /// A sentence's end.
  std::string message;
  /// The first certificate that did not issue the one before it.
  std::size_t place;
  /// The one that did is elsewhere in the file. Many peers find it there.
  bool wrong_order;
};
/// Nothing: it is a chain.
std::optional<BrokenChain> broken_chain(const std::vector<Certificate>& chain);

/// The chain ends before a root, and the system does not know the issuer of its last certificate.
struct MissingIssuer {
  std::string message;
  /// The issuer stands in between: the certificate says where it can be had, as those of public
  /// authorities do. Else it may be a root of a private one, which its clients know.
  bool certain;
};
std::optional<MissingIssuer> missing_issuer(const X509& last);

}  // namespace onceproxy::tls
