#include "proxy/http/body_reader.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

namespace onceproxy::http {
namespace {

using Kind = Framing::Kind;
using State = BodyReader::State;

void add(io::Buffer& buffer, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto room = buffer.prepare(1024 * 1024);
    const std::size_t size = std::min(room.size, bytes.size());
    std::memcpy(room.data, bytes.data(), size);
    buffer.commit(size);
    bytes.remove_prefix(size);
  }
}

/// Reads all of `text` as it comes, `piece_bytes` at a time.
struct Read {
  std::string body;
  State end = State::need_more;
  std::string rest;

  Read(const Framing& framing, std::string_view text, std::size_t piece_bytes) {
    BodyReader reader(framing, HeadLimits{64, 3});
    io::Buffer buffer;
    while (true) {
      const BodyReader::Piece piece = reader.take(buffer);
      end = piece.state;
      if (piece.state == State::data) {
        REQUIRE_FALSE(piece.data.empty());
        body += piece.data;
        continue;
      }
      CHECK(piece.data.empty());
      if (piece.state != State::need_more || text.empty()) break;
      CHECK(buffer.empty());
      add(buffer, text.substr(0, piece_bytes));
      text.remove_prefix(std::min(piece_bytes, text.size()));
    }
    rest = std::string(buffer.view()) + std::string(text);
  }
};

TEST_CASE("a body ends where its framing says, and what follows stays in the buffer") {
  struct Case {
    Framing framing;
    std::string text, body;
    State end;
    std::string rest;
  };
  const Case cases[] = {
      {{Kind::none, 0}, "GET /", "", State::end, "GET /"},
      {{Kind::length, 3}, "abcGET /", "abc", State::end, "GET /"},
      {{Kind::length, 3}, "abc", "abc", State::end, ""},
      {{Kind::length, 3}, "ab", "ab", State::need_more, ""},
      {{Kind::length, 3}, "", "", State::need_more, ""},
      {{Kind::length, 999'999'999'999'999'999}, "ab", "ab", State::need_more, ""},
      {{Kind::chunked, 0},
       "3\r\nabc\r\n1\r\nd\r\n0\r\nX: 1\r\n\r\nGET /",
       "abcd",
       State::end,
       "GET /"},
      {{Kind::chunked, 0}, "0\r\n\r\n", "", State::end, ""},
      {{Kind::chunked, 0}, "3\r\nabc\r\n0\r\n", "abc", State::need_more, ""},
      {{Kind::until_close, 0}, "abc\r\n\r\n", "abc\r\n\r\n", State::need_more, ""},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    for (const std::size_t piece_bytes : {1u, 2u, 5u, 100u}) {
      const Read read(each.framing, each.text, piece_bytes);
      CHECK(read.body == each.body);
      CHECK(read.end == each.end);
      CHECK(read.rest == each.rest);
    }
  }
}

TEST_CASE("chunks that are none, and trailers beyond the head's bounds, are malformed") {
  for (const std::string& text : {std::string("x\r\n"), std::string("3\r\nabcd\r\n"),
                                  "0\r\nX: " + std::string(64, 'x') + "\r\n\r\n",
                                  std::string("0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n")}) {
    INFO(text);
    CHECK(Read({Kind::chunked, 0}, text, 1).end == State::malformed);
    CHECK(Read({Kind::chunked, 0}, text, 1000).end == State::malformed);
  }
}

TEST_CASE("a piece is a view that lasts until the next one is taken") {
  BodyReader reader({Kind::length, 6}, {});
  io::Buffer buffer;
  add(buffer, "abcd");
  const auto first = reader.take(buffer);
  CHECK(first.data.data() == buffer.view().data());
  CHECK(buffer.view() == "abcd");
  CHECK(reader.take(buffer).state == State::need_more);
  CHECK(buffer.empty());
  add(buffer, "efGH");
  CHECK(reader.take(buffer).data == "ef");
  CHECK(reader.take(buffer).state == State::end);
  CHECK(reader.take(buffer).state == State::end);
  CHECK(buffer.view() == "GH");
}

TEST_CASE("the peer's end is the body's only where that is its framing") {
  CHECK(BodyReader({Kind::until_close, 0}, {}).whole_at_eof());
  CHECK_FALSE(BodyReader({Kind::length, 1}, {}).whole_at_eof());
  CHECK_FALSE(BodyReader({Kind::chunked, 0}, {}).whole_at_eof());
}

}  // namespace
}  // namespace onceproxy::http
