// ChunkedDecoder: the chunked transfer coding (RFC 9112 7.1), taken apart as it streams, strictly
// and within bounds. Chunk extensions (7.1.1: tokens and quoted strings) and trailers are read,
// bounded and dropped: no recipient asked for them, and fields smuggled in there must
// not become headers.
//
// It copies nothing: feed() points at the data inside what it was given.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace onceproxy::http {

class ChunkedDecoder {
 public:
  /// Extensions of one chunk together.
  static constexpr std::size_t extension_bytes_max = 256;
  /// Hexadecimal digits of one chunk's size, leading zeros included.
  static constexpr std::size_t size_digits_max = 15;

  /// Bounds of the trailer section. `lenient`: spaces and tabs around a chunk's size are taken, as
  /// many as an extension may have bytes. What they stand around is one number to every parser that
  /// does not refuse it; within a number they are refused.
  ChunkedDecoder(std::size_t trailer_bytes_max, std::size_t trailer_fields_max,
                 bool lenient = false)
      : trailer_bytes_max_(trailer_bytes_max),
        trailer_fields_max_(trailer_fields_max),
        lenient_(lenient) {}

  struct Step {
    enum class Kind {
      more,   ///< all input is consumed, nothing to hand out; feed again with new input
      data,   ///< `data` is body; feed again with the rest of the input
      done,   ///< the last chunk and the trailers are consumed
      error,  ///< malformed or over a bound; `data` is empty
    } kind;
    /// How much of the input this step used up, `data` included.
    std::size_t consumed;
    std::string_view data;
  };

  Step feed(std::string_view input);
  bool done() const { return state_ == State::done; }

  /// Once a step was an error: what is wrong, as a literal without a full stop, and at which byte
  /// of the coded body, from 0.
  std::string_view fault() const { return fault_; }
  std::uint64_t fault_at() const { return fault_at_; }

 private:
  enum class State {
    size_first,
    size,
    size_end,
    extension_start,
    extension_name,
    extension_name_end,
    extension_value_start,
    extension_value,
    extension_value_end,
    extension_quoted,
    extension_escaped,
    extension_quoted_end,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done,
    error,
  };

  bool take(char c);
  void note_fault(State before, std::uint64_t at);
  bool take_size(char c);
  bool take_extension(char c);
  bool take_trailer(char c);

  const std::size_t trailer_bytes_max_;
  const std::size_t trailer_fields_max_;
  const bool lenient_;
  State state_ = State::size_first;
  std::uint64_t chunk_left_ = 0;
  std::size_t size_digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  /// Used up by the steps before.
  std::uint64_t consumed_ = 0;
  std::string_view fault_;
  std::uint64_t fault_at_ = 0;
};

}  // namespace onceproxy::http
