#include "proxy/tls/ticket_keys.hpp"

#include <cstring>

namespace onceproxy::tls {
namespace {

using namespace std::chrono_literals;

struct Ticket {
  TicketKeys keys;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  unsigned char name[16];
  unsigned char vector[EVP_MAX_IV_LENGTH];

  int choose(bool sealing, std::chrono::minutes later) {
    EVP_CIPHER_CTX* const cipher = EVP_CIPHER_CTX_new();
    EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* const mac = EVP_MAC_CTX_new(hmac);
    const int chosen = keys.choose(name, vector, cipher, mac, sealing, begin + later);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    EVP_CIPHER_CTX_free(cipher);
    return chosen;
  }
};

TEST_CASE_METHOD(Ticket, "a ticket opens for an hour, then is to be renewed, then is unknown") {
  REQUIRE(choose(true, 1min) == 1);
  CHECK(choose(false, 50min) == 1);
  CHECK(choose(false, 70min) == 2);
  CHECK(choose(false, 119min) == 2);
  CHECK(choose(false, 140min) == 0);
}

TEST_CASE_METHOD(Ticket, "after a long rest no old ticket opens") {
  REQUIRE(choose(true, 1min) == 1);
  CHECK(choose(false, 600min) == 0);
}

TEST_CASE_METHOD(Ticket, "a ticket of another process is unknown") {
  std::memset(name, 7, sizeof name);
  CHECK(choose(false, 1min) == 0);
}

}  // namespace
}  // namespace onceproxy::tls
