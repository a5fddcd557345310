// Gunzip: the bytes of a gzip file (RFC 1952), of several members too, a piece at a time.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::backtest {

/// Whether a file that begins so is gzip.
bool begins_like_gzip(std::string_view bytes);

class Gunzip {
 public:
  Gunzip();
  ~Gunzip();

  /// Takes what it can off the front of `input`, and returns how many bytes of `out` it filled:
  /// none if it needs more. It may hold some of what it took: with no input it gives that. The
  /// error says what is wrong.
  tl::expected<std::size_t, std::string_view> feed(std::string_view& input, std::span<char> out);
  /// Whether the file may end here.
  bool complete() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::backtest
