// Failure: why a handshake ended without a connection, as one of a few words for metrics and a
// sentence for the log. Thread-safe.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace onceproxy::tls {

struct Failure {
  /// One of a fixed set of words, which are literals: closed, timeout, not-tls, version, cipher,
  /// protocol, no-certificate, bad-certificate, refused, crowded, other.
  std::string_view reason = "other";
  std::string message;
};

/// Of the operation on `ssl` that has just failed on this thread.
Failure failure_of(const SSL* ssl);
/// The same, if OpenSSL's error `code` has been taken already; 0: there was none.
Failure failure_of(const SSL* ssl, unsigned long code);

}  // namespace onceproxy::tls
