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
  /// Reads the text of a key file: one key per line, each "whsec_" followed by the base64 of 24 to
  /// 64 bytes. An error is a sentence that does not contain the keys.
  static tl::expected<SigningKeys, std::string> read(std::string_view text);

  /// Returns the value of webhook-signature. 64 keys, the maximum, make 3 KiB. Throws
  /// std::runtime_error if the cryptographic library fails.
  std::string sign(std::string_view id, std::int64_t timestamp, std::string_view body) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace onceproxy::delivery
