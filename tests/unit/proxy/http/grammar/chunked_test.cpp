#include "proxy/http/grammar/chunked.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "heads.hpp"

namespace onceproxy::http {
namespace {

using namespace std::string_literals;
using Kind = ChunkedDecoder::Step::Kind;

constexpr std::size_t trailer_bytes = 64;
constexpr std::size_t trailer_fields = 3;

struct Decoded {
  std::string body;
  /// done, error, or more where the input ended first.
  Kind end = Kind::more;
  std::size_t used = 0;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

/// Feeds `piece` and keeps what comes out. False when nothing more will.
bool feed(ChunkedDecoder& decoder, std::string_view piece, Decoded& out) {
  while (true) {
    const ChunkedDecoder::Step step = decoder.feed(piece);
    REQUIRE(step.consumed <= piece.size());
    out.used += step.consumed;
    out.end = step.kind;
    if (step.kind == Kind::error) CHECK(step.data.empty());
    if (step.kind != Kind::data) {
      CHECK(decoder.done() == (step.kind == Kind::done));
      return step.kind == Kind::more;
    }
    REQUIRE_FALSE(step.data.empty());
    // It is a view of what was fed, and the last of what was consumed.
    CHECK(step.data.data() + step.data.size() == piece.data() + step.consumed);
    out.body += step.data;
    piece.remove_prefix(step.consumed);
  }
}

Decoded decode(std::string_view text, std::size_t piece_bytes = std::string::npos,
               bool lenient = false) {
  ChunkedDecoder decoder(trailer_bytes, trailer_fields, lenient);
  Decoded out;
  for (std::size_t at = 0; at < text.size(); at += std::min(piece_bytes, text.size())) {
    if (!feed(decoder, text.substr(at, piece_bytes), out)) break;
  }
  return out;
}

Decoded decode_split(std::string_view text, std::size_t split) {
  ChunkedDecoder decoder(trailer_bytes, trailer_fields);
  Decoded out;
  if (feed(decoder, text.substr(0, split), out)) feed(decoder, text.substr(split), out);
  return out;
}

const std::string& long_extension() {
  static const std::string text = ";" + std::string(ChunkedDecoder::extension_bytes_max, 'x');
  return text;
}

struct Case {
  std::string text;
  std::string body;
  /// What is left of the text behind the last chunk.
  std::string rest;
};

std::vector<Case> good() {
  return {
      {"0\r\n\r\n", "", ""},
      {"000\r\n\r\n", "", ""},
      {"000000000000000\r\n\r\n", "", ""},
      {"3\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"003\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", ""},
      {"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", ""},
      {"5\r\n\r\n0\r\n\r\n0\r\n\r\n", "\r\n0\r\n", ""},
      {"1\r\n\0\r\n0\r\n\r\n"s, "\0"s, ""},
      {"3;x\r\nabc\r\n0;y=z\r\n\r\n", "abc", ""},
      {"3;x=\"a;b \xc3\xa9\t\"\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"3;x;y=1;z=\"\"\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"3; x\t=\ty ; z = \"a\" ;v\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"3;x=\"a\\\"\\\\\"\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"1" + long_extension() + "\r\na\r\n1" + long_extension() + "\r\nb\r\n0\r\n\r\n", "ab", ""},
      {"3\r\nabc\r\n0\r\nX: 1\r\n\r\n", "abc", ""},
      {"0\r\nX:\r\nY: a b\t\r\nz:\r\n\r\n", "", ""},
      {"0\r\nHost: evil\r\nContent-Length: 99\r\n\r\n", "", ""},
      {"0\r\nX: " + std::string(trailer_bytes - 7, 'x') + "\r\n\r\n", "", ""},
      {"0\r\n\r\nGET / HTTP/1.1\r\n", "", "GET / HTTP/1.1\r\n"},
      {"1\r\na\r\n0\r\n\r\n\r\n", "a", "\r\n"},
  };
}

std::vector<std::string> malformed() {
  return {
      // sizes
      "\r\n",
      " 3\r\nabc\r\n",
      "+3\r\nabc\r\n",
      "-3\r\nabc\r\n",
      "0x3\r\nabc\r\n",
      "g\r\n",
      "3 \r\nabc\r\n",
      "3\t\r\nabc\r\n",
      "3 ;x\r\nabc\r\n",
      ";x\r\n",
      "\n",
      "3\nabc\r\n",
      "3\r\r\nabc\r\n",
      "3\rabc\r\n",
      "3\0\r\nabc\r\n"s,
      "3,3\r\nabc\r\n",
      "\xef\xbb\xbf"
      "3\r\n",
      "3_0\r\n",
      "3h\r\n",
      // sizes that could overflow, or never end
      "1000000000000000\r\n",
      "ffffffffffffffff\r\n",
      "10000000000000003\r\nabc\r\n",
      "0000000000000000\r\n\r\n",
      "0000000000000003\r\nabc\r\n",
      std::string(10'000, '0'),
      // data that is longer or shorter than it said
      "3\r\nabcd\r\n0\r\n\r\n",
      "3\r\nabc0\r\n\r\n",
      "3\r\nab\r\n0\r\n\r\n",
      "3\r\nabc\n0\r\n\r\n",
      "3\r\nabc\r0\r\n\r\n",
      "3\r\nabc\r\r\n",
      "3\r\nabc\r\n\r\n0\r\n\r\n",
      // extensions
      "3;x\nabc\r\n",
      "3;x\0\r\nabc\r\n"s,
      "3;x\ry\r\nabc\r\n",
      "3;\x7f\r\nabc\r\n",
      "3" + long_extension() + "x\r\nabc\r\n",
      "0" + long_extension() + "x\r\n\r\n",
      "3;x\r\rabc\r\n",
      // extensions that are no tokens
      "3;\r\nabc\r\n",
      "3; \r\nabc\r\n",
      "3;;x\r\nabc\r\n",
      "3;x;\r\nabc\r\n",
      "3;x \r\nabc\r\n",
      "3;x y\r\nabc\r\n",
      "3;x@y\r\nabc\r\n",
      "3;caf\xc3\xa9\r\nabc\r\n",
      "3;=y\r\nabc\r\n",
      "3;x=\r\nabc\r\n",
      "3;x= \r\nabc\r\n",
      "3;x==y\r\nabc\r\n",
      "3;x=y z\r\nabc\r\n",
      "3;x=y=z\r\nabc\r\n",
      "3;x=y,z\r\nabc\r\n",
      "3;x=y \r\nabc\r\n",
      "3;x=y\"z\"\r\nabc\r\n",
      "3;x=\"y\r\nabc\r\n",
      "3;x=\"y\"z\r\nabc\r\n",
      "3;x=\"y\\\r\nabc\r\n",
      "3;x=\"\n\"\r\nabc\r\n",
      "0;{x}\r\n\r\n",
      // trailers
      "0\r\nX\r\n\r\n",
      "0\r\n: a\r\n\r\n",
      "0\r\nX : a\r\n\r\n",
      "0\r\n X: a\r\n\r\n",
      "0\r\nX: a\r\n b\r\n\r\n",
      "0\r\nX: a\n\r\n",
      "0\r\nX: a\0\r\n\r\n"s,
      "0\r\nX: a\rb\r\n\r\n",
      "0\r\n\n",
      "0\r\n\r\r\n",
      "0\r\n\rx",
      "0\n\r\n",
      "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n",
      "0\r\nX: " + std::string(trailer_bytes - 6, 'x') + "\r\n\r\n",
      "0\r\n" + std::string(trailer_bytes + 1, 'x'),
  };
}

TEST_CASE("a chunked body comes out whole, and nothing behind it is touched") {
  for (const Case& each : good()) {
    INFO(testing::shown(each.text));
    const Decoded decoded = decode(each.text);
    CHECK(decoded.end == Kind::done);
    CHECK(decoded.body == each.body);
    CHECK(each.text.substr(decoded.used) == each.rest);
  }
}

TEST_CASE("anything that is not exactly chunked coding within its bounds is an error") {
  for (const std::string& text : malformed()) {
    INFO(testing::shown(text));
    CHECK(decode(text).end == Kind::error);
  }
}

TEST_CASE("however the bytes are split, the outcome is one") {
  std::vector<std::string> texts = malformed();
  for (const Case& each : good()) texts.push_back(each.text);
  for (const std::string& text : texts) {
    if (text.size() > 1000) continue;
    INFO(testing::shown(text));
    const Decoded whole = decode(text);
    CHECK(decode(text, 1) == whole);
    CHECK(decode(text, 2) == whole);
    CHECK(decode(text, 3) == whole);
    for (std::size_t split = 0; split <= text.size(); ++split) {
      INFO(split);
      REQUIRE(decode_split(text, split) == whole);
    }
  }
}

TEST_CASE("a body that breaks off is never done") {
  for (const Case& each : good()) {
    INFO(testing::shown(each.text));
    const std::size_t whole = each.text.size() - each.rest.size();
    for (std::size_t size = 0; size < whole; ++size) {
      REQUIRE(decode(std::string_view(each.text).substr(0, size)).end == Kind::more);
    }
  }
}

TEST_CASE("an end is for good") {
  ChunkedDecoder done(trailer_bytes, trailer_fields);
  CHECK(done.feed("0\r\n\r\n").kind == Kind::done);
  for (const char* more : {"", "1\r\na\r\n"}) {
    const auto step = done.feed(more);
    CHECK(step.kind == Kind::done);
    CHECK(step.consumed == 0);
  }
  ChunkedDecoder broken(trailer_bytes, trailer_fields);
  CHECK(broken.feed("x").kind == Kind::error);
  for (const char* more : {"", "0\r\n\r\n", "1\r\na\r\n0\r\n\r\n"}) {
    CHECK(broken.feed(more).kind == Kind::error);
    CHECK_FALSE(broken.done());
  }
}

TEST_CASE("the largest size that is taken does not wrap") {
  ChunkedDecoder decoder(trailer_bytes, trailer_fields);
  const std::string text = "fffffffffffffff\r\n" + std::string(100, 'x');
  const auto step = decoder.feed(text);
  CHECK(step.kind == Kind::data);
  CHECK(step.data.size() == 100);
  CHECK(decoder.feed("0\r\n\r\n").data == "0\r\n\r\n");
}

TEST_CASE("white space around a chunk's size is taken where that is wanted") {
  for (const char* text :
       {"3 \r\nabc\r\n0\r\n\r\n", "3  \t\r\nabc\r\n0 \r\n\r\n", " 3\r\nabc\r\n 0\r\n\r\n",
        "\t3 \r\nabc\r\n0      \r\n\r\n", "3 ;a=b\r\nabc\r\n0 ; c\r\n\r\n"}) {
    CAPTURE(text);
    for (const std::size_t piece : {std::string::npos, std::size_t{1}}) {
      CHECK(decode(text, piece, true) == Decoded{"abc", Kind::done, std::strlen(text)});
      CHECK(decode(text, piece).end == Kind::error);
    }
  }
}

TEST_CASE("white space that two parsers read differently, or without end, is refused in any case") {
  const std::string blanks(ChunkedDecoder::extension_bytes_max + 1, ' ');
  for (const std::string& text :
       {"3 3\r\nabc"s, "0 0\r\n\r\n"s, " \r\n"s, "3 a\r\nabc"s, "3 \nabc"s, "3 \rabc"s, "3\n\nabc"s,
        "-3\r\nabc"s, "0x3\r\nabc"s, "3\v\r\nabc"s, "3\r\nabc \r\n"s, "3\r\nabc\r \n"s,
        "3" + blanks + "\r\n", blanks + "3\r\n"}) {
    CAPTURE(text);
    CHECK(decode(text, std::string::npos, true).end == Kind::error);
    CHECK(decode(text, 1, true).end == Kind::error);
  }
}

TEST_CASE("a fault is named with its place in the whole body") {
  const auto fault = [](std::string_view text, std::size_t split) {
    ChunkedDecoder decoder(trailer_bytes, trailer_fields);
    Decoded out;
    if (feed(decoder, text.substr(0, split), out)) feed(decoder, text.substr(split), out);
    REQUIRE(out.end == Kind::error);
    return std::to_string(decoder.fault_at()) + ": " + std::string(decoder.fault());
  };
  for (const std::size_t split : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
    CHECK(fault("xyz", split > 3 ? 3 : split) ==
          "0: a chunk's size is not a hexadecimal number of at most 15 digits");
    CHECK(fault("3\r\nabcd\r\n", split) == "6: a chunk is longer than its size says");
    CHECK(fault("3\r\nabc\r\n3\nabc", split) ==
          "9: a chunk's size is not a hexadecimal number of at most 15 digits");
    CHECK(fault("0;{}\r\n", split > 3 ? 3 : split) ==
          "2: a chunk extension is malformed or too long");
    CHECK(fault("0\r\nX A: 1\r\n\r\n", split) == "4: the trailer is malformed or too large");
    CHECK(fault("3\r\nabc\rX", split) == "7: a line does not end in CR LF");
  }
}

}  // namespace
}  // namespace onceproxy::http
