#include "proxy/cli/backtest/gunzip.hpp"

#include <zlib.h>

#include <new>

namespace onceproxy::backtest {

bool begins_like_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

struct Gunzip::State {
  State() {
    // 16: with gzip's header and trailer.
    if (::inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~State() { ::inflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  z_stream stream{};
  /// A member has ended, and none has begun behind it.
  bool between = false;
};

Gunzip::Gunzip() : state_(std::make_unique<State>()) {}
Gunzip::~Gunzip() = default;

bool Gunzip::complete() const {
  return state_->between;
}

tl::expected<std::size_t, std::string_view> Gunzip::feed(std::string_view& input,
                                                         std::span<char> out) {
  z_stream& stream = state_->stream;
  if (state_->between) {
    // gzip pads with zeros if it writes to blocks, and ignores what else may follow.
    if (!input.starts_with('\x1f')) {
      input = {};
      return 0;
    }
    ::inflateReset(&stream);
    state_->between = false;
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = ::inflate(&stream, Z_NO_FLUSH);
  input.remove_prefix(input.size() - stream.avail_in);
  // No progress is no error: it needs more.
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
    return tl::unexpected<std::string_view>("the gzip file is broken");
  }
  state_->between = result == Z_STREAM_END;
  return out.size() - stream.avail_out;
}

}  // namespace onceproxy::backtest
