// SHA-256 of a sequence of bytes. Thread-safe: each thread has its own context.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace onceproxy::policies {

/// Throws std::runtime_error if the cryptographic library fails.
std::array<std::uint8_t, 32> sha256(std::string_view bytes);

}  // namespace onceproxy::policies
