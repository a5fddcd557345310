#include "proxy/io/pipes.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <deque>
#include <memory>

namespace onceproxy::io {
namespace {

void put(Piped& piped, char byte) {
  REQUIRE(piped.open());
  REQUIRE(::write(piped.entry(), &byte, 1) == 1);
  piped.came(1);
}

}  // namespace

TEST_CASE("a pipe is held only while there are bytes in it") {
  Pipes pipes;
  Piped piped(pipes);
  CHECK(pipes.used() == 0);
  put(piped, 'x');
  CHECK(pipes.used() == 1);
  char byte = 0;
  REQUIRE(::read(piped.exit(), &byte, 1) == 1);
  piped.went(1);
  CHECK(byte == 'x');
  CHECK(piped.empty());
  CHECK(pipes.used() == 0);
  CHECK(pipes.kept() == 1);
}

TEST_CASE("a pipe with bytes that nobody took is not used again") {
  Pipes pipes;
  {
    Piped piped(pipes);
    put(piped, 'x');
  }
  CHECK(pipes.used() == 0);
  CHECK(pipes.kept() == 0);
  Piped next(pipes);
  REQUIRE(next.open());
  char byte = 0;
  CHECK(::read(next.exit(), &byte, 1) < 0);
}

TEST_CASE("pipes are limited, and kept for later") {
  Pipes pipes;
  std::deque<Piped> all;
  for (std::size_t i = 0; i < Pipes::used_max; ++i) CHECK(all.emplace_back(pipes).open());
  Piped more(pipes);
  CHECK_FALSE(more.open());
  all.pop_front();
  CHECK(more.open());
  all.clear();
  more.drop();
  CHECK(pipes.used() == 0);
  CHECK(pipes.kept() == Pipes::used_max);
}

TEST_CASE("a pipe that is kept and not used is closed") {
  Pipes pipes;
  {
    Piped one(pipes);
    Piped other(pipes);
    REQUIRE(one.open());
    REQUIRE(other.open());
  }
  REQUIRE(pipes.kept() == 2);
  pipes.trim();
  CHECK(pipes.kept() == 2);
  {
    Piped again(pipes);
    REQUIRE(again.open());
  }
  pipes.trim();
  CHECK(pipes.kept() == 1);
  pipes.trim();
  CHECK(pipes.kept() == 0);
}

}  // namespace onceproxy::io
