// Client keys: an accepted key is within its bounds, and quoting it names the same key.
#include <string>

#include "claim.hpp"
#include "policies/client_key.hpp"

using namespace onceproxy::policies;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string value(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  const auto key = parse_client_key(value, scratch);
  if (!key) {
    claim(!key.error().empty(), "an error says something");
    return 0;
  }
  claim(!key->empty() && key->size() <= client_key_size_max, "a key has 1 to 255 characters");
  std::string quoted = "\"";
  for (const char c : *key) {
    claim(c >= 0x20 && c <= 0x7E, "a key is printable ASCII");
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  quoted += "\";a=1";
  std::string other;
  const auto again = parse_client_key(quoted, other);
  claim(again && *again == *key, "the quoted spelling names the same key");
  return 0;
}
