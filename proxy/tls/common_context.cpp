// What both sides have in common.
#include "proxy/tls/common_context.hpp"

#include <openssl/err.h>

namespace onceproxy::tls {
namespace {

/// Of TLS 1.2; those of TLS 1.3 are all good. RSA is for certificates, never for exchanging keys.
constexpr const char* ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

}  // namespace

Context common_context(const SSL_METHOD* method) {
  Context context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX* const native = context.get();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                  SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection keeps no record buffers, which are 17 KiB each.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  // One read brings in what is there, instead of a record's head first.
  SSL_CTX_set_read_ahead(native, 1);
  SSL_CTX_set_max_early_data(native, 0);
  SSL_CTX_set_recv_max_early_data(native, 0);
  SSL_CTX_set_cipher_list(native, ciphers);
  SSL_CTX_set_ciphersuites(native, suites);
  ERR_clear_error();
  return context;
}

bool use_own(SSL_CTX* context, const Credentials& credentials) {
  if (SSL_CTX_use_certificate(context, credentials.chain[0].get()) != 1) return false;
  for (std::size_t i = 1; i < credentials.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, credentials.chain[i].get()) != 1) return false;
  }
  return SSL_CTX_use_PrivateKey(context, credentials.key.get()) == 1;
}

bool trust(SSL_CTX* context, const Credentials& credentials) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const Certificate& each : credentials.trusted) {
    // A duplicate is not an error.
    if (X509_STORE_add_cert(store, each.get()) != 1) return false;
  }
  return true;
}

}  // namespace onceproxy::tls
