// Contexts: what handshakes are made with, built from files and never changed; a connection
// goes on with the one that it was made with after another has taken its place (port.hpp).
//
// Both sides: TLS 1.2 and 1.3, forward secret ciphers with authentication (AEAD) alone, no
// compression, no renegotiation, no early data (a request in it could be sent twice by anyone who
// recorded it: RFC 8446, section 8), ALPN, sessions resumed. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <tl/expected.hpp>

#include "proxy/tls/credentials.hpp"
#include "proxy/tls/handles.hpp"
#include "proxy/tls/options.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace onceproxy::tls {

/// What a server speaks inside TLS (RFC 7301). A client that offers only something else gets an
/// alert; one that offers nothing gets a connection, and Session::protocol() says so.
enum class Protocols {
  http1,  ///< http/1.1, or http/1.0
  http2,  ///< h2
};

class ServerContext {
 public:
  /// `tickets` must outlive the context and its connections. The error says what OpenSSL refuses.
  static tl::expected<std::shared_ptr<const ServerContext>, std::string> make(
      const ServerOptions& options, const Credentials& credentials, TicketKeys& tickets,
      Protocols protocols = Protocols::http1);

  /// A new connection's state; nullptr if memory is short.
  Connection accept() const;
  /// For code that uses TLS through another library.
  SSL_CTX* native() const { return context_.get(); }
  bool asks_for_certificates() const { return asks_; }

 private:
  ServerContext(Context context, bool asks) : context_(std::move(context)), asks_(asks) {}

  const Context context_;
  const bool asks_;
};

class ClientContext {
 public:
  static tl::expected<std::shared_ptr<const ClientContext>, std::string> make(
      const ClientOptions& options, const Credentials& credentials);

  /// A new connection's state, with the session that the server gave last; nullptr if there is
  /// no memory. The context must outlive it.
  Connection connect() const;
  SSL_CTX* native() const { return context_.get(); }

 private:
  explicit ClientContext(Context context) : context_(std::move(context)) {}
  static int keep(SSL* ssl, SSL_SESSION* session);

  const Context context_;
  /// What is sent as the server's name; empty if it is an address (RFC 6066, section 3).
  std::string sent_name_;
  mutable std::mutex mutex_;
  /// OpenSSL changes a session that is in use, so each connection gets a copy.
  mutable SessionState session_;
};

}  // namespace onceproxy::tls
