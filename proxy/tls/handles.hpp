// Owners of what OpenSSL hands out, and the text of what it says went wrong. Private to this folder
// but for the types. Thread-safe.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace onceproxy::tls {

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};

using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using CertificateStore = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using SessionState = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Free<SSL_free>>;

/// What OpenSSL last complained of on this thread, in its words; forgets all of it.
std::string last_error();

/// As RFC 4514 writes a name; control characters and what is not ASCII are escaped.
std::string text_of(const X509_NAME* name);

}  // namespace onceproxy::tls
