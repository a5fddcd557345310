#include "policies/digest.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace onceproxy::policies {
namespace {

struct Free {
  void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

[[noreturn]] void refuse() {
  throw std::runtime_error("SHA-256 is not available from OpenSSL");
}

// Fetching an algorithm and making a context each cost more than a digest of 512 bytes does, so
// both are kept.
const EVP_MD* algorithm() {
  static const std::unique_ptr<EVP_MD, Free> fetched(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  if (!fetched) refuse();
  return fetched.get();
}

EVP_MD_CTX* context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> kept(EVP_MD_CTX_new());
  if (!kept) refuse();
  return kept.get();
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  EVP_MD_CTX* const digest = context();
  std::array<std::uint8_t, 32> out;
  unsigned int size = 0;
  if (EVP_DigestInit_ex2(digest, algorithm(), nullptr) != 1 ||
      EVP_DigestUpdate(digest, bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(digest, out.data(), &size) != 1 || size != out.size()) {
    refuse();
  }
  return out;
}

}  // namespace onceproxy::policies
