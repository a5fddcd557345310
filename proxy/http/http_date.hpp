// HttpDate: the value of a worker's Date fields (RFC 9110 5.6.7). It is computed once per tick,
// because computing it for each message would cost more than the rest of a small head. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace onceproxy::http {

class HttpDate {
 public:
  HttpDate() { update(); }

  /// Call this at each tick.
  void update();
  /// The IMF-fixdate, at most one tick old. The view stays valid; update() changes its content.
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 64> text_{};
  std::size_t size_ = 0;
};

}  // namespace onceproxy::http
