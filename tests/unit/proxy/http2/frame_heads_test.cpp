#include "proxy/http2/frame_heads.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace onceproxy::http2 {
namespace {

std::string frame(std::size_t length, int type, int flags, std::uint32_t stream) {
  std::string text{static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                   static_cast<char>(length),       static_cast<char>(type),
                   static_cast<char>(flags),        static_cast<char>(stream >> 24),
                   static_cast<char>(stream >> 16), static_cast<char>(stream >> 8),
                   static_cast<char>(stream)};
  return text + std::string(length, 'x');
}

const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::vector<FrameHead> heads_in(FrameHeads& heads, std::string_view bytes) {
  std::vector<FrameHead> found;
  while (const auto head = heads.next(bytes)) found.push_back(*head);
  REQUIRE(bytes.empty());
  return found;
}

}  // namespace

TEST_CASE("heads are found behind the preface, payloads and empty frames") {
  const std::string all = preface + frame(0, 4, 0, 0) + frame(70'000, 0x77, 0xff, 0x8000'0005) +
                          frame(0, 0, 1, 0x7fff'ffff) + frame(8, 6, 0, 0);
  FrameHeads heads;
  CHECK(heads.before_first());
  const auto found = heads_in(heads, all);
  CHECK_FALSE(heads.before_first());
  REQUIRE(found.size() == 4);
  CHECK(found[0].is(FrameType::settings));
  CHECK(found[1].length == 70'000);
  CHECK(found[1].type == 0x77);
  CHECK(found[1].flags == 0xff);
  // The first bit is none of the stream's (RFC 9113, section 4.1).
  CHECK(found[1].stream == 5);
  CHECK(found[2].stream == 0x7fff'ffff);
  CHECK(found[3].is(FrameType::ping));
}

TEST_CASE("heads do not depend on how bytes come in") {
  const std::string all = preface + frame(3, 4, 0, 0) + frame(10, 1, 4, 1) + frame(0, 0, 1, 1);
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    FrameHeads heads;
    std::vector<FrameHead> found;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      for (const FrameHead& head : heads_in(heads, std::string_view(all).substr(at, piece))) {
        found.push_back(head);
      }
    }
    REQUIRE(found.size() == 3);
    CHECK(found[1].length == 10);
    CHECK(found[2].stream == 1);
  }
}

TEST_CASE("what is left of the bytes begins behind the head") {
  FrameHeads heads;
  const std::string all = preface + frame(3, 4, 0, 0) + frame(0, 6, 0, 0);
  std::string_view rest = all;
  REQUIRE(heads.next(rest));
  CHECK(rest.size() == 3 + 9);
  REQUIRE(heads.next(rest));
  CHECK(rest.empty());
  CHECK_FALSE(heads.next(rest));
}

}  // namespace onceproxy::http2
