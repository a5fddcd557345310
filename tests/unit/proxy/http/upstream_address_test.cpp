#include "proxy/http/upstream_address.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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
  CHECK(socket.get() != nullptr);
}

TEST_CASE("each move to another endpoint is another generation") {
  UpstreamAddress address(here);
  const auto before = address.get();
  REQUIRE(before != nullptr);
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
  CHECK(address.get() == nullptr);
  CHECK(address.place().found.empty());
  address.move(here);
  CHECK(address.get() != nullptr);
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

io::SocketAddress ip(const char* address) {
  return io::asio::ip::tcp::endpoint(io::asio::ip::make_address(address), 80);
}

TEST_CASE("a resolver that does not answer keeps neither a move nor the end waiting") {
  // Shared with the thread that is inside the resolver when the test has ended.
  const auto answer = std::make_shared<std::promise<void>>();
  const auto asked = std::make_shared<std::promise<void>>();
  {
    UpstreamAddress address(
        here, {}, nullptr,
        {std::chrono::milliseconds(0),
         [answer, asked, once = false](const Endpoint&, io::ErrorCode& error) mutable {
           if (!std::exchange(once, true)) asked->set_value();
           answer->get_future().wait();
           error = io::asio::error::host_not_found;
           return std::vector<io::SocketAddress>();
         }});
    address.move(nowhere);
    CHECK(address.place().found == "127.0.0.1:8081");
    asked->get_future().wait();
  }
  answer->set_value();
}

TEST_CASE("an answer for a name that is not wanted any more is not used") {
  const auto asked = std::make_shared<std::promise<void>>();
  const auto answer = std::make_shared<std::promise<void>>();
  UpstreamAddress address(
      here, {}, nullptr,
      {std::chrono::milliseconds(0), [asked, answer](const Endpoint& endpoint, io::ErrorCode&) {
         if (endpoint == nowhere) {
           asked->set_value();
           answer->get_future().wait();
         }
         return std::vector{ip("192.0.2.1")};
       }});
  address.move(nowhere);
  asked->get_future().wait();
  address.move(there);
  answer->set_value();
  // The thread answers the next name only when it is done with the first one.
  UpstreamAddress::Place place;
  address.move(Endpoint{"other.invalid", 80, ""});
  do {
    place = address.place();
    CHECK((place.found == "[::1]:8082" || place.endpoint.host == "other.invalid"));
  } while (place.found == "[::1]:8082");
  CHECK(place.found == "192.0.2.1:80");
}

TEST_CASE("the families take turns, and the resolver's first leads") {
  CHECK(in_order_of_trial({ip("2001:db8::1"), ip("2001:db8::2"), ip("2001:db8::3"), ip("192.0.2.1"),
                           ip("192.0.2.2")}) == std::vector{ip("2001:db8::1"), ip("192.0.2.1"),
                                                            ip("2001:db8::2"), ip("192.0.2.2"),
                                                            ip("2001:db8::3")});
  CHECK(in_order_of_trial({ip("192.0.2.1"), ip("2001:db8::1")}) ==
        std::vector{ip("192.0.2.1"), ip("2001:db8::1")});
  CHECK(in_order_of_trial({}).empty());
}

TEST_CASE("an address that a resolver tells twice is tried once, and no more than 16 are") {
  CHECK(in_order_of_trial({ip("192.0.2.1"), ip("192.0.2.1")}) == std::vector{ip("192.0.2.1")});
  std::vector<io::SocketAddress> many;
  for (unsigned i = 0; i < 100; ++i) {
    many.push_back(io::asio::ip::tcp::endpoint(io::asio::ip::address_v4(0xC0000200 + i), 80));
  }
  CHECK(in_order_of_trial(many).size() == 16);
}

TEST_CASE("a lookup that fails is counted, and what was known stays in use") {
  int failures = 0;
  UpstreamAddress address(here, [&failures] { ++failures; });
  CHECK(failures == 0);
  address.move(nowhere);
  CHECK(failures == 1);
  CHECK(address.has(address.get()->addresses.front(), nullptr));
}

TEST_CASE("an address that is preferred comes first, and leads where it led before") {
  UpstreamAddress address(here);
  const auto generation = address.generation();
  address.prefer(ip("192.0.2.9"));  // one that vanished meanwhile
  CHECK(address.place().found == "127.0.0.1:8081");
  address.prefer(address.get()->addresses.front());
  CHECK(address.generation() == generation);
}

TEST_CASE("an address that vanished is known as such") {
  UpstreamAddress address(here);
  const io::SocketAddress before = address.get()->addresses.front();
  CHECK(address.has(before, nullptr));
  address.move(there);
  CHECK_FALSE(address.has(before, nullptr));
}

UpstreamAddress::Tls some_tls() {
  return std::make_shared<const tls::ClientPort>(nullptr);
}

TEST_CASE("an address with other TLS is another generation") {
  UpstreamAddress address(here);
  const auto generation = address.generation();
  const io::SocketAddress before = address.get()->addresses.front();
  const UpstreamAddress::Tls tls = some_tls();
  address.move(here, tls);
  CHECK(address.generation() > generation);
  CHECK(address.get()->tls == tls);
  CHECK_FALSE(address.has(before, nullptr));
  CHECK(address.has(before, tls));
}

TEST_CASE("while a new name does not resolve, the old address keeps its own TLS") {
  const UpstreamAddress::Tls tls = some_tls();
  UpstreamAddress address(here, {}, tls);
  const auto generation = address.generation();
  address.move(nowhere);
  CHECK(address.get()->tls == tls);
  address.move(nowhere, some_tls());
  CHECK(address.get()->tls == tls);
  address.prefer(address.get()->addresses.front());
  CHECK(address.get()->tls == tls);
  CHECK(address.generation() == generation);
  address.move(there);
  CHECK(address.get()->tls == nullptr);
}

}  // namespace
}  // namespace onceproxy::http
