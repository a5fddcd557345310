// Peer: the identity in the peer's certificate. Taken once a connection, after its handshake,
// in which the certificate was verified. Plain values.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace onceproxy::tls {

struct Peer {
  /// The subject's alternative names that are URIs (SPIFFE has one), and those that are host names,
  /// in the certificate's order.
  std::vector<std::string> uris;
  std::vector<std::string> hosts;
  /// As RFC 4514 writes it: "CN=client,O=Example". May be empty.
  std::string subject;
  /// Of the certificate in DER form: 64 lower-case hexadecimal digits.
  std::string sha256;
  /// The value of x-forwarded-client-cert, as Envoy spells it: By (our certificate's URI), Hash,
  /// Subject, URI, DNS. Visible ASCII alone, so that it can be sent as it is.
  std::string forwarded;
};

/// What a certificate says; `forwarded` stays empty.
Peer identity_of(const X509& certificate);

/// nullptr: the peer showed no certificate.
std::unique_ptr<Peer> peer_of(const SSL* ssl);

}  // namespace onceproxy::tls
