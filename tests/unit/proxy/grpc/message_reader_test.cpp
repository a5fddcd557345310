#include "proxy/grpc/message_reader.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace onceproxy::grpc {
namespace {

using State = MessageReader::State;

std::string framed(std::string_view message) {
  const auto prefix = prefix_of(static_cast<std::uint32_t>(message.size()));
  return std::string(prefix.data(), prefix.size()).append(message);
}

}  // namespace

TEST_CASE("a prefix says the length, most significant byte first") {
  const auto prefix = prefix_of(0x01020304);
  CHECK(std::string(prefix.data(), prefix.size()) == std::string("\0\1\2\3\4", 5));
}

TEST_CASE("messages are whole however their bytes come") {
  const std::vector<std::string> sent{"one", "", std::string(1'000, 'x'), "last"};
  std::string bytes;
  for (const std::string& message : sent) bytes += framed(message);
  for (std::size_t piece = 1; piece <= bytes.size(); piece += piece < 20 ? 1 : 37) {
    MessageReader reader(1'000);
    std::vector<std::string> got;
    std::string message;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      std::string_view part = std::string_view(bytes).substr(at, piece);
      while (!part.empty()) {
        const State state = reader.take(part, message);
        if (state == State::more) {
          REQUIRE(part.empty());
          continue;
        }
        REQUIRE(state == State::whole);
        got.push_back(message);
        message.clear();
      }
    }
    CHECK(got == sent);
    CHECK(reader.between_messages());
  }
}

TEST_CASE("an empty message is whole with its prefix") {
  MessageReader reader(10);
  std::string message;
  const std::string bytes = framed("");
  std::string_view rest = bytes;
  CHECK(reader.take(rest, message) == State::whole);
  CHECK(rest.empty());
}

TEST_CASE("an end within a message is seen") {
  MessageReader reader(10);
  std::string message;
  std::string_view rest("\0\0", 2);
  CHECK(reader.take(rest, message) == State::more);
  CHECK_FALSE(reader.between_messages());
}

TEST_CASE("a message over the limit is refused by its prefix, before its bytes are kept") {
  MessageReader reader(10);
  std::string message;
  const std::string bytes = framed("01234567890");
  std::string_view rest = bytes;
  CHECK(reader.take(rest, message) == State::too_large);
  CHECK(reader.length() == 11);
  CHECK(message.empty());
  const std::string fits = framed("0123456789");
  rest = fits;
  CHECK(MessageReader(10).take(rest, message) == State::whole);
}

TEST_CASE("compressed messages and flags that are none are told apart") {
  std::string message;
  std::string_view rest("\1\0\0\0\1x", 6);
  CHECK(MessageReader(10).take(rest, message) == State::compressed);
  rest = std::string_view("\2\0\0\0\1x", 6);
  CHECK(MessageReader(10).take(rest, message) == State::malformed);
}

}  // namespace onceproxy::grpc
