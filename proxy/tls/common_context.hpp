// What contexts of both sides have in common. Private to this folder.
#pragma once

#include "proxy/tls/credentials.hpp"
#include "proxy/tls/handles.hpp"

namespace onceproxy::tls {

/// nullptr: no memory.
Context common_context(const SSL_METHOD* method);

/// These return false if OpenSSL refuses; last_error() says why.
bool use_own(SSL_CTX* context, const Credentials& credentials);
bool trust(SSL_CTX* context, const Credentials& credentials);

}  // namespace onceproxy::tls
