// BodyReader: a message's body, whatever its framing, piece by piece out of the buffer that its
// connection fills. Copies nothing; does no I/O itself.
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/grammar/chunked.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/io/buffer.hpp"

namespace onceproxy::http {

/// Of a body with so much to come, the bytes are moved by the kernel. A small rest is cheaper to
/// copy.
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

  /// Bounds of trailers, as those of the head they follow.
  BodyReader(const Framing& framing, const HeadLimits& limits)
      : framing_(framing), left_(framing.length) {
    if (framing.kind == Framing::Kind::chunked) {
      chunks_.emplace(limits.bytes, limits.fields, limits.lenient);
    }
  }

  /// The next piece. Uses up the one before: its view is valid until then.
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

  /// Of a body whose length is known, what follows the piece taken last and has not come; 0 for
  /// every other. Such bytes need not be looked at, and may pass by the buffer.
  std::uint64_t to_come() const { return framing_.kind == Framing::Kind::length ? left_ : 0; }
  /// So many of these did.
  void passed(std::uint64_t bytes) { left_ -= bytes; }

  /// What is wrong with a malformed body, and where.
  const ChunkedDecoder& chunks() const { return *chunks_; }

  /// The peer ended in order (FIN): the body is whole only where that is its framing.
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
