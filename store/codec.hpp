// Writer and Reader: convert the store's values to bytes and back. All numbers are little-endian,
// and all times are milliseconds since 1970 in signed 64 bits. The formats are described at the
// values; the audit log uses the same writer as the records. Not thread-safe; each user has its own
// objects.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "store/permit.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

/// A buffer of `bytes_max` bytes, for writers that should not allocate each time.
template <std::size_t bytes_max>
class FixedBytes {
 public:
  /// The caller ensures that the bytes fit.
  void append(const char* bytes, std::size_t size) {
    assert(size <= bytes_max - size_);
    std::copy_n(bytes, size, bytes_.data() + size_);
    size_ += size;
  }
  const char* data() const { return bytes_.data(); }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
  std::array<char, bytes_max> bytes_;
};

/// `Out`: a std::string, or FixedBytes.
template <typename Out>
class BasicWriter {
 public:
  template <typename Number>
  void number(Number value) {
    auto bits = static_cast<std::make_unsigned_t<Number>>(value);
    std::array<char, sizeof(Number)> bytes;
    for (char& byte : bytes) {
      byte = static_cast<char>(bits & 0xff);
      if constexpr (sizeof(Number) > 1) bits >>= 8;
    }
    out_.append(bytes.data(), bytes.size());
  }
  void time(WallTime value) { number<std::int64_t>(value.time_since_epoch().count()); }
  void raw(std::string_view bytes) { out_.append(bytes.data(), bytes.size()); }
  /// The length uses one byte, two or four. Longer texts are cut off.
  void short_text(std::string_view text, std::size_t bytes_max) {
    sized<std::uint8_t>(text.substr(0, bytes_max));
  }
  void medium_text(std::string_view text, std::size_t bytes_max) {
    sized<std::uint16_t>(text.substr(0, bytes_max));
  }
  void long_text(std::string_view text) { sized<std::uint32_t>(text); }

  const Out& out() const { return out_; }

 protected:
  Out out_;

 private:
  template <typename Size>
  void sized(std::string_view text) {
    number(static_cast<Size>(text.size()));
    raw(text);
  }
};

class Writer : public BasicWriter<std::string> {
 public:
  explicit Writer(std::size_t bytes) { out_.reserve(bytes); }
  std::string take() { return std::move(out_); }
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <typename Number>
  Number number() {
    const std::string_view bytes = raw(sizeof(Number));
    std::make_unsigned_t<Number> bits = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      if constexpr (sizeof(Number) > 1) bits <<= 8;
      bits |= static_cast<std::uint8_t>(bytes[i]);
    }
    return static_cast<Number>(bits);
  }
  WallTime time() { return WallTime(std::chrono::milliseconds(number<std::int64_t>())); }
  /// Empty, with good() false from then on, if fewer bytes are left.
  std::string_view raw(std::size_t size) {
    if (rest_.size() < size) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view short_text() { return raw(number<std::uint8_t>()); }
  std::string_view medium_text() { return raw(number<std::uint16_t>()); }
  std::string_view long_text() { return raw(number<std::uint32_t>()); }
  template <typename Bytes>
  void into(Bytes& out) {
    const std::string_view bytes = raw(out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  }
  bool good() const { return good_; }
  bool good_to_the_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

inline std::string_view view(const Nonce& nonce) {
  return {reinterpret_cast<const char*>(nonce.data()), nonce.size()};
}

}  // namespace onceproxy::store
