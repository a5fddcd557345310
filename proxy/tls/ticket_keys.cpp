#include "proxy/tls/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>
#include <stdexcept>

namespace onceproxy::tls {
namespace {

using std::chrono::steady_clock;

int keys_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int choose_key(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
               EVP_MAC_CTX* mac, int sealing) {
  auto* const keys =
      static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index()));
  return keys->choose(name, vector, cipher, mac, sealing == 1, steady_clock::now());
}

}  // namespace

TicketKeys::Key TicketKeys::fresh() {
  Key key;
  if (RAND_bytes(key.name.data(), key.name.size()) != 1 ||
      RAND_priv_bytes(key.cipher.data(), key.cipher.size()) != 1 ||
      RAND_priv_bytes(key.mac.data(), key.mac.size()) != 1) {
    throw std::runtime_error("no random numbers for the keys of TLS session tickets");
  }
  return key;
}

TicketKeys::TicketKeys() : current_(fresh()), previous_(fresh()), since_(steady_clock::now()) {}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

void TicketKeys::serve(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, keys_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, choose_key);
}

void TicketKeys::rotate(steady_clock::time_point now) {
  const auto age = now - since_;
  if (age < sealing_time) return;
  const Key key = fresh();
  // After a long rest, what sealed last is too old to open.
  previous_ = age < 2 * sealing_time ? current_ : fresh();
  current_ = key;
  since_ = now;
}

bool TicketKeys::apply(const Key& key, const unsigned char* vector, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, bool sealing) {
  char digest[] = "SHA256";
  auto* const secret = const_cast<unsigned char*>(key.mac.data());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
         EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), vector,
                           sealing ? 1 : 0) == 1;
}

int TicketKeys::choose(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, bool sealing, steady_clock::time_point now) try {
  const std::lock_guard lock(mutex_);
  rotate(now);
  if (sealing) {
    std::memcpy(name, current_.name.data(), current_.name.size());
    if (RAND_bytes(vector, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    return apply(current_, vector, cipher, mac, true) ? 1 : -1;
  }
  if (std::memcmp(name, current_.name.data(), current_.name.size()) == 0) {
    return apply(current_, vector, cipher, mac, false) ? 1 : -1;
  }
  if (std::memcmp(name, previous_.name.data(), previous_.name.size()) == 0) {
    return apply(previous_, vector, cipher, mac, false) ? 2 : -1;
  }
  return 0;
} catch (const std::exception&) {
  return -1;
}

}  // namespace onceproxy::tls
