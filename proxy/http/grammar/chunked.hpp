// ChunkedDecoder: decodes the chunked transfer coding (RFC 9112 7.1) as it arrives, strictly and
// within limits. Chunk extensions (7.1.1: tokens and quoted strings) and trailers are read, limited
// and removed, because a field in a trailer must not become a header field.
//
// It copies nothing: feed() returns views of its input. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace onceproxy::http {

class ChunkedDecoder {
 public:
  /// The total size of the extensions of one chunk.
  static constexpr std::size_t extension_bytes_max = 256;
  /// The number of hexadecimal digits of a chunk's size, including leading zeros.
  static constexpr std::size_t size_digits_max = 15;

  /// The limits of the trailer section. `lenient`: spaces and tabs around a chunk's size are
  /// accepted, as many as an extension may have bytes. They do not change the number for any parser
  /// that accepts them. Within a number they are refused.
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
    /// The number of input bytes that this step used, including `data`.
    std::size_t consumed;
    std::string_view data;
  };

  Step feed(std::string_view input);
  bool done() const { return state_ == State::done; }

  /// After a step with an error: the error, as a literal without a full stop, and its byte in the
  /// coded body, from 0.
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
  /// The number of bytes that previous steps used.
  std::uint64_t consumed_ = 0;
  std::string_view fault_;
  std::uint64_t fault_at_ = 0;
};

}  // namespace onceproxy::http
