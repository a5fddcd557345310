#include "store/nonce.hpp"

#include <sys/random.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

namespace onceproxy::store {
namespace {

/// xoshiro256** (Blackman, Vigna): 256 bits of state, so that threads' sequences do not overlap.
class Generator {
 public:
  Generator() {
    std::size_t filled = 0;
    auto* const bytes = reinterpret_cast<unsigned char*>(state_.data());
    while (filled < sizeof state_) {
      const ssize_t got = getrandom(bytes + filled, sizeof state_ - filled, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
      filled += static_cast<std::size_t>(got);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace

Nonce random_nonce() {
  thread_local Generator generator;
  const std::array<std::uint64_t, 2> bits{generator.next(), generator.next()};
  Nonce nonce;
  static_assert(sizeof nonce == sizeof bits);
  std::memcpy(nonce.data(), bits.data(), sizeof nonce);
  return nonce;
}

}  // namespace onceproxy::store
