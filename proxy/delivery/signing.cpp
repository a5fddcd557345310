#include "proxy/delivery/signing.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

#include "policies/decode.hpp"
#include "store/base64.hpp"

namespace onceproxy::delivery {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t key_bytes_min = 24;
constexpr std::size_t key_bytes_max = 64;
/// The largest number of keys in a file; more than a rotation needs.
constexpr std::size_t keys_max = 64;
constexpr std::size_t digest_bytes = 32;

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view space = " \t\r";
  const std::size_t first = line.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(space) - first + 1);
}

}  // namespace

tl::expected<SigningKeys, std::string> SigningKeys::read(std::string_view text) {
  SigningKeys keys;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty()) continue;
    const std::string where = "line " + std::to_string(number);
    if (!line.starts_with(prefix)) {
      return tl::unexpected("the key in " + where + " does not begin with whsec_");
    }
    auto key = policies::decode_base64(line.substr(prefix.size()));
    if (!key) return tl::unexpected("the key in " + where + " is not base64");
    if (key->size() < key_bytes_min || key->size() > key_bytes_max) {
      return tl::unexpected("the key in " + where + " has " + std::to_string(key->size()) +
                            " bytes; 24 to 64 are allowed");
    }
    if (keys.keys_.size() == keys_max) return tl::unexpected(std::string("more than 64 keys"));
    keys.keys_.push_back(*std::move(key));
  }
  if (keys.keys_.empty()) return tl::unexpected(std::string("there is no key in the file"));
  return keys;
}

std::string SigningKeys::sign(std::string_view id, std::int64_t timestamp,
                              std::string_view body) const {
  std::string content(id);
  content.append(".").append(std::to_string(timestamp)).append(".").append(body);
  std::string out;
  for (const std::string& key : keys_) {
    std::array<unsigned char, digest_bytes> digest{};
    unsigned int size = 0;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(content.data());
    if (::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, content.size(),
               digest.data(), &size) == nullptr) {
      throw std::runtime_error("OpenSSL makes no HMAC");
    }
    if (!out.empty()) out += ' ';
    out += "v1,";
    store::append_base64(out, {reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  return out;
}

}  // namespace onceproxy::delivery
