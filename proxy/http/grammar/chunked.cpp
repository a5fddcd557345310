#include "proxy/http/grammar/chunked.hpp"

#include <algorithm>

#include "proxy/http/grammar/head.hpp"
#include "store/hex.hpp"

namespace onceproxy::http {

namespace {

bool token_char(char c) {
  return valid_token({&c, 1});
}
bool value_char(char c) {
  return valid_field_value({&c, 1});
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::feed(std::string_view input) {
  if (state_ == State::done) return {Step::Kind::done, 0, {}};
  std::size_t used = 0;
  while (used < input.size()) {
    if (state_ == State::data) {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size() - used));
      chunk_left_ -= size;
      if (chunk_left_ == 0) state_ = State::data_cr;
      consumed_ += used + size;
      return {Step::Kind::data, used + size, input.substr(used, size)};
    }
    const State before = state_;
    if (!take(input[used++])) {
      if (before != State::error) note_fault(before, consumed_ + used - 1);
      state_ = State::error;
      return {Step::Kind::error, used, {}};
    }
    if (state_ == State::done) return {Step::Kind::done, used, {}};
  }
  if (state_ == State::error) return {Step::Kind::error, used, {}};
  consumed_ += used;
  return {Step::Kind::more, used, {}};
}

void ChunkedDecoder::note_fault(State before, std::uint64_t at) {
  fault_at_ = at;
  switch (before) {
    case State::size_first:
    case State::size:
    case State::size_end:
      fault_ = "a chunk's size is not a hexadecimal number of at most 15 digits";
      return;
    case State::size_lf:
    case State::data_lf:
    case State::trailer_lf:
    case State::end_lf:
      fault_ = "a line does not end in CR LF";
      return;
    case State::data_cr:
      fault_ = "a chunk is longer than its size says";
      return;
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
      fault_ = "the trailer is malformed or too large";
      return;
    default:
      fault_ = "a chunk extension is malformed or too long";
  }
}

bool ChunkedDecoder::take(char c) {
  switch (state_) {
    case State::size_first:
    case State::size:
    case State::size_end:
      return take_size(c);
    case State::size_lf:
      state_ = chunk_left_ == 0 ? State::trailer_start : State::data;
      return c == '\n';
    case State::data_cr:
      state_ = State::data_lf;
      return c == '\r';
    case State::data_lf:
      state_ = State::size_first;
      extension_bytes_ = 0;
      return c == '\n';
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
    case State::trailer_lf:
    case State::end_lf:
      return take_trailer(c);
    default:
      return take_extension(c);
  }
}

bool ChunkedDecoder::take_size(char c) {
  if (lenient_ && (c == ' ' || c == '\t')) {
    if (state_ == State::size) state_ = State::size_end;
    return ++extension_bytes_ <= extension_bytes_max;
  }
  const int digit = store::hex_value(c);
  if (digit >= 0 && state_ != State::size_end) {
    // What could overflow is refused, not wrapped; so are zeros without end.
    if (++size_digits_ > size_digits_max) return false;
    chunk_left_ = chunk_left_ << 4 | static_cast<std::uint64_t>(digit);
    state_ = State::size;
    return true;
  }
  if (state_ == State::size_first) return false;
  size_digits_ = 0;
  extension_bytes_ = 0;
  // White space before the first semicolon is refused: parsers differ on it (RFC 9112 7.1.1: BWS).
  state_ = c == '\r' ? State::size_lf : State::extension_start;
  return c == '\r' || c == ';';
}

/// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), where the name is a
/// token and the value a token or a quoted string (RFC 9112 7.1.1, RFC 9110 5.6.4).
bool ChunkedDecoder::take_extension(char c) {
  const bool white_space = c == ' ' || c == '\t';
  const auto enter = [this](State next) {
    state_ = next;
    return true;
  };
  /// Another extension follows, or it is malformed.
  const auto end = [&] { return c == ';' && enter(State::extension_start); };
  if (c != '\r' && ++extension_bytes_ > extension_bytes_max) return false;
  switch (state_) {
    case State::extension_start:
      if (white_space) return true;
      return token_char(c) && enter(State::extension_name);
    case State::extension_name:
      if (token_char(c)) return true;
      if (c == '\r') return enter(State::size_lf);
      if (white_space) return enter(State::extension_name_end);
      return c == '=' ? enter(State::extension_value_start) : end();
    case State::extension_name_end:
      if (white_space) return true;
      return c == '=' ? enter(State::extension_value_start) : end();
    case State::extension_value_start:
      if (white_space) return true;
      if (c == '"') return enter(State::extension_quoted);
      return token_char(c) && enter(State::extension_value);
    case State::extension_value:
      if (token_char(c)) return true;
      if (c == '\r') return enter(State::size_lf);
      return white_space ? enter(State::extension_value_end) : end();
    case State::extension_value_end:
      return white_space || end();
    case State::extension_quoted:
      if (c == '\\') return enter(State::extension_escaped);
      if (c == '"') return enter(State::extension_quoted_end);
      return value_char(c);
    case State::extension_escaped:
      return value_char(c) && enter(State::extension_quoted);
    case State::extension_quoted_end:
      if (c == '\r') return enter(State::size_lf);
      return white_space ? enter(State::extension_value_end) : end();
    default:
      return false;
  }
}

bool ChunkedDecoder::take_trailer(char c) {
  if (++trailer_bytes_ > trailer_bytes_max_) return false;
  switch (state_) {
    case State::trailer_start:
      if (c == '\r') {
        state_ = State::end_lf;
        return true;
      }
      state_ = State::trailer_name;
      return ++trailer_fields_ <= trailer_fields_max_ && token_char(c);
    case State::trailer_name:
      if (c == ':') {
        state_ = State::trailer_value;
        return true;
      }
      return token_char(c);
    case State::trailer_value:
      if (c == '\r') {
        state_ = State::trailer_lf;
        return true;
      }
      return value_char(c);
    case State::trailer_lf:
      state_ = State::trailer_start;
      return c == '\n';
    case State::end_lf:
      state_ = State::done;
      return c == '\n';
    default:
      return false;
  }
}

}  // namespace onceproxy::http
