// Chunked coding: however the bytes are split, the body and the end are the same; nothing behind
// the last chunk is touched; a body that is encoded comes back as it was; and what strict decoding
// takes, lenient decoding takes for the same.
#include <memory>
#include <string>

#include "claim.hpp"
#include "proxy/http/grammar/chunked.hpp"
#include "proxy/http/head_writer.hpp"

using namespace onceproxy::http;

namespace {

using Kind = ChunkedDecoder::Step::Kind;

constexpr std::size_t trailer_bytes = 100;
constexpr std::size_t trailer_fields = 4;

struct Decoded {
  std::string body;
  Kind end = Kind::more;
  std::size_t used = 0;

  bool operator==(const Decoded&) const = default;
};

/// False when nothing more will come out.
bool feed(ChunkedDecoder& decoder, std::string_view piece, Decoded& out) {
  // Memory of its own, so that a look behind the piece is seen.
  const std::unique_ptr<char[]> memory(new char[piece.size()]);
  piece.copy(memory.get(), piece.size());
  std::string_view left(memory.get(), piece.size());
  while (true) {
    const ChunkedDecoder::Step step = decoder.feed(left);
    claim(step.consumed <= left.size(), "no more is consumed than there is");
    claim(step.kind != Kind::data || !step.data.empty(), "data is not empty");
    claim(step.kind == Kind::data || step.data.empty(), "only data is data");
    claim(step.kind != Kind::more || step.consumed == left.size(), "more is asked for at the end");
    claim(decoder.done() == (step.kind == Kind::done), "done is done");
    out.body += step.data;
    out.used += step.consumed;
    out.end = step.kind;
    left.remove_prefix(step.consumed);
    if (step.kind != Kind::data) return step.kind == Kind::more;
  }
}

/// In pieces whose sizes `sizes` gives, over and over; whole where it is empty.
Decoded decode(std::string_view text, std::string_view sizes, bool lenient = false) {
  ChunkedDecoder decoder(trailer_bytes, trailer_fields, lenient);
  Decoded out;
  for (std::size_t i = 0; !text.empty(); ++i) {
    const std::size_t size =
        sizes.empty() ? text.size() : 1 + static_cast<unsigned char>(sizes[i % sizes.size()]) % 32;
    if (!feed(decoder, text.substr(0, size), out)) break;
    text.remove_prefix(std::min(size, text.size()));
  }
  return out;
}

/// The body in chunks whose sizes `sizes` gives.
std::string encode(std::string_view body, std::string_view sizes) {
  std::string out;
  for (std::size_t i = 0; !body.empty(); ++i) {
    const std::size_t size =
        sizes.empty() ? body.size() : 1 + static_cast<unsigned char>(sizes[i % sizes.size()]);
    write_chunk(body.substr(0, size), out);
    body.remove_prefix(std::min(size, body.size()));
  }
  out += last_chunk;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 4) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view sizes = input.substr(0, 4);
  const std::string_view text = input.substr(4);
  const Decoded whole = decode(text, {});
  claim(decode(text, sizes) == whole, "the outcome does not depend on how the bytes are split");
  claim(decode(text, std::string_view("\0", 1)) == whole, "nor on their coming one by one");
  claim(whole.body.size() <= text.size(), "a body does not grow");
  if (whole.end == Kind::done) {
    claim(decode(text.substr(0, whole.used), {}) == whole, "what follows does not matter");
    claim(decode(text.substr(0, whole.used - 1), {}).end == Kind::more, "the last byte does");
  }

  const Decoded lenient = decode(text, {}, true);
  claim(decode(text, sizes, true) == lenient, "nor does it where white space is taken");
  claim(whole.end == Kind::error || lenient == whole, "lenient decoding takes what strict takes");
  claim(lenient.body.starts_with(whole.body), "and reads no other body until strict gives up");

  const std::string encoded = encode(text, sizes);
  const Decoded back = decode(encoded + "GET /", sizes);
  claim(back.end == Kind::done && back.body == text && back.used == encoded.size(),
        "what is encoded comes back as it was");
  return 0;
}
