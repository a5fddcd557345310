// TicketKeys: what session tickets are sealed with (RFC 8446, section 4.6.1; RFC 5077). A server
// that resumes sessions keeps nothing for them: all of it is in the ticket, so anyone who has the
// key can read what an old session of TLS 1.2 said. Therefore a key seals for an hour, opens for
// one more, and is then forgotten; it never leaves the process.
//
// Shared by all workers, so that a client may come back to any of them. Thread-safe.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <mutex>

namespace onceproxy::tls {

class TicketKeys {
 public:
  static constexpr std::chrono::minutes sealing_time{60};

  /// Throws std::runtime_error if the kernel has no random numbers.
  TicketKeys();
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  /// Makes `context` seal and open its tickets with these. They must outlive it.
  void serve(SSL_CTX* context);

  /// OpenSSL's question: which key seals (`sealing`), or opens what `name` names. Returns what
  /// SSL_CTX_set_tlsext_ticket_key_evp_cb() wants: negative: failed, 0: unknown, 1: there it is,
  /// 2: the same, and the ticket is to be renewed.
  int choose(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
             bool sealing, std::chrono::steady_clock::time_point now);

 private:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };
  static Key fresh();
  void rotate(std::chrono::steady_clock::time_point now);
  static bool apply(const Key& key, const unsigned char* vector, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac, bool sealing);

  std::mutex mutex_;
  Key current_;
  Key previous_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace onceproxy::tls
