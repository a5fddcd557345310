// The keys and the signatures of the Standard Webhooks specification: `webhook-signature` is
// "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body". With several keys there are several
// signatures, separated by spaces, so that a key can be replaced without a gap.
// Thread-safe: const after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace onceproxy::delivery {

class SigningKeys {
 public:
  /// Reads the text of a key file: one key a line, "whsec_" and the base64 of 24 to 64 bytes. The
  /// error is a sentence that does not repeat the text.
  static tl::expected<SigningKeys, std::string> read(std::string_view text);

  /// The value of webhook-signature; at most 64 keys make at most 3 KiB. Throws std::runtime_error
  /// where the cryptographic library refuses to work at all.
  std::string sign(std::string_view id, std::int64_t timestamp, std::string_view body) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace onceproxy::delivery
