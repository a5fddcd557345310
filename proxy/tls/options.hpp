// What a side of TLS is made from: names of files in PEM form, and what is asked of the peer. Plain
// values.
#pragma once

#include <string>

namespace onceproxy::tls {

/// TLS 1.2 (RFC 5246) and TLS 1.3 (RFC 8446); nothing older is spoken (RFC 8996).
enum class Version { tls_1_2, tls_1_3 };

struct ServerOptions {
  /// The server's own certificate first, then those that lead to its root.
  std::string certificate;
  std::string key;
  /// Whose certificates clients are known by; empty: none is asked for.
  std::string client_ca;
  /// With client_ca: a client without a certificate is turned away.
  bool client_certificate_required = true;
  Version version_min = Version::tls_1_2;

  bool operator==(const ServerOptions&) const = default;
};

/// ClientOptions::ca if the system's own store is trusted.
inline constexpr const char* system_ca = "system";

struct ClientOptions {
  /// A file, or system_ca.
  std::string ca = system_ca;
  /// What the server's certificate must be for: a host name, which is also sent (SNI), or an IP
  /// address. Never empty: a peer whose name is not checked could be anyone.
  std::string server_name;
  /// Ours, if the server asks for one; both or neither.
  std::string certificate;
  std::string key;

  bool operator==(const ClientOptions&) const = default;
};

}  // namespace onceproxy::tls
