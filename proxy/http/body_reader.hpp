// BodyReader: reads a message's body with any framing, piece by piece, from the buffer that its
// connection fills. It copies nothing and does no I/O itself. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/grammar/chunked.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/io/buffer.hpp"

namespace onceproxy::http {

/// If at least this many bytes of a body remain, the kernel moves them. A smaller rest is cheaper
/// to copy.
constexpr std::uint64_t spliced_bytes_min = 16 * 1024;

class BodyReader {
 public:
  enum class State {
    data,       ///< `data` is the next piece of the body
    need_more,  ///< the buffer is used up: fill it and ask again
    end,        ///< the body is whole
    malformed,  ///< it is not what its framing says, and never will be
  };
  struct Piece {
    State state;
    std::string_view data;
  };

  /// The limits of trailers, which are the same as for the head.
  BodyReader(const Framing& framing, const HeadLimits& limits)
      : framing_(framing), left_(framing.length) {
    if (framing.kind == Framing::Kind::chunked) {
      chunks_.emplace(limits.bytes, limits.fields, limits.lenient);
    }
  }

  /// Returns the next piece, which is valid until the next call.
  Piece take(io::Buffer& buffer) {
    buffer.consume(std::exchange(taken_, 0));
    switch (framing_.kind) {
      case Framing::Kind::none:
        return {State::end, {}};
      case Framing::Kind::length:
        return take_counted(buffer);
      case Framing::Kind::chunked:
        return take_chunked(buffer);
      case Framing::Kind::until_close:
        break;
    }
    taken_ = buffer.size();
    return {taken_ > 0 ? State::data : State::need_more, buffer.view()};
  }

  /// For a body with a known length: the number of bytes that follow the last piece and have not
  /// arrived; otherwise 0. These bytes need not be parsed and may bypass the buffer.
  std::uint64_t to_come() const { return framing_.kind == Framing::Kind::length ? left_ : 0; }
  /// This many of these bytes bypassed the buffer.
  void passed(std::uint64_t bytes) { left_ -= bytes; }

  /// The error in a malformed body, with its position.
  const ChunkedDecoder& chunks() const { return *chunks_; }

  /// The peer closed its side (FIN): the body is complete only if its framing allows this.
  bool whole_at_eof() const { return framing_.kind == Framing::Kind::until_close; }

 private:
  Piece take_counted(io::Buffer& buffer) {
    if (left_ == 0) return {State::end, {}};
    taken_ = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
    left_ -= taken_;
    return {taken_ > 0 ? State::data : State::need_more, buffer.view().substr(0, taken_)};
  }

  Piece take_chunked(io::Buffer& buffer) {
    const ChunkedDecoder::Step step = chunks_->feed(buffer.view());
    using Kind = ChunkedDecoder::Step::Kind;
    if (step.kind == Kind::data) {
      taken_ = step.consumed;
      return {State::data, step.data};
    }
    buffer.consume(step.consumed);
    if (step.kind == Kind::more) return {State::need_more, {}};
    return {step.kind == Kind::done ? State::end : State::malformed, {}};
  }

  Framing framing_;
  std::uint64_t left_;
  std::optional<ChunkedDecoder> chunks_;
  std::size_t taken_ = 0;
};

}  // namespace onceproxy::http
