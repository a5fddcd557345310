#include "store/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cerrno>
#include <system_error>

namespace onceproxy::store {
namespace {

/// A thread's own.
class Supply {
 public:
  void take(std::span<std::uint8_t> out) {
    while (!out.empty()) {
      if (given_ == bytes_.size()) fetch();
      const std::size_t size = std::min(out.size(), bytes_.size() - given_);
      const auto piece = std::span(bytes_).subspan(given_, size);
      std::ranges::copy(piece, out.begin());
      std::ranges::fill(piece, std::uint8_t{0});
      given_ += size;
      out = out.subspan(size);
    }
  }

 private:
  void fetch() {
    std::size_t fetched = 0;
    while (fetched < bytes_.size()) {
      const ssize_t got = ::getrandom(bytes_.data() + fetched, bytes_.size() - fetched, 0);
      if (got >= 0) {
        fetched += static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), "getrandom");
      }
    }
    given_ = 0;
  }

  std::array<std::uint8_t, 4096> bytes_{};
  std::size_t given_ = bytes_.size();
};

}  // namespace

void fill_random(std::span<std::uint8_t> out) {
  thread_local Supply supply;
  supply.take(out);
}

std::uint64_t random_number() {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  fill_random(bytes);
  std::uint64_t number = 0;
  for (const std::uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

std::string random_uuid() {
  boost::uuids::uuid id;
  fill_random(id.data);
  constexpr std::uint8_t version = 0x40;
  constexpr std::uint8_t variant = 0x80;
  id.data[6] = static_cast<std::uint8_t>((id.data[6] & 0x0F) | version);
  id.data[8] = static_cast<std::uint8_t>((id.data[8] & 0x3F) | variant);
  return boost::uuids::to_string(id);
}

}  // namespace onceproxy::store
