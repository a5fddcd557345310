#include "proxy/http/upstream_address.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>

namespace onceproxy::http {
namespace {

const Endpoint here{"127.0.0.1", 8081, ""};
const Endpoint there{"::1", 8082, ""};
/// RFC 6761 6.4: no resolver knows it.
const Endpoint nowhere{"nowhere.invalid", 80, ""};

TEST_CASE("an address is known at once, and tells itself as an operator writes it") {
  CHECK(UpstreamAddress(here).place().found == "127.0.0.1:8081");
  CHECK(UpstreamAddress(there).place().found == "[::1]:8082");
  const UpstreamAddress socket(Endpoint{"", 0, "/run/app.sock"});
  CHECK(socket.place().found == "unix:/run/app.sock");
  CHECK(socket.get().has_value());
}

TEST_CASE("each move to another endpoint is another generation") {
  UpstreamAddress address(here);
  const auto before = address.get();
  REQUIRE(before);
  CHECK(before->generation == address.generation());
  address.move(here);
  CHECK(address.generation() == before->generation);
  address.move(there);
  CHECK(address.generation() > before->generation);
  CHECK(address.get()->generation == address.generation());
  CHECK(address.place().found == "[::1]:8082");
  CHECK(address.place().endpoint == there);
}

TEST_CASE("while a new name does not resolve, the place before stays in use") {
  UpstreamAddress address(here);
  const auto generation = address.generation();
  address.move(nowhere);
  CHECK(address.place().found == "127.0.0.1:8081");
  CHECK(address.place().endpoint == nowhere);
  CHECK(address.generation() == generation);
  address.move(there);
  CHECK(address.place().found == "[::1]:8082");
  CHECK(address.generation() > generation);
}

TEST_CASE("nothing is known while the first name does not resolve") {
  UpstreamAddress address(nowhere);
  CHECK_FALSE(address.get().has_value());
  CHECK(address.place().found.empty());
  address.move(here);
  CHECK(address.get().has_value());
}

TEST_CASE("a name that is found is another generation") {
  UpstreamAddress address(here);
  const auto generation = address.generation();
  address.move(Endpoint{"localhost", 8081, ""});
  CHECK(address.generation() > generation);
  CHECK(address.get()->generation == address.generation());
}

TEST_CASE("a unix path that the kernel does not take changes nothing") {
  UpstreamAddress address(here);
  CHECK_THROWS_AS(address.move(Endpoint{"", 0, "/" + std::string(200, 'x')}),
                  std::invalid_argument);
  CHECK(address.place().endpoint == here);
  CHECK(address.place().found == "127.0.0.1:8081");
}

}  // namespace
}  // namespace onceproxy::http
