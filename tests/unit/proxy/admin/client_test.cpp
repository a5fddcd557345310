#include "proxy/admin/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "policies/percent.hpp"

namespace onceproxy::admin {
namespace {

using namespace std::chrono_literals;

Endpoint endpoint_of(const Server& server) {
  const std::string address = server.address();
  const std::size_t colon = address.rfind(':');
  if (address.starts_with("unix:")) return {"", 0, address.substr(5)};
  return {address.substr(0, colon),
          static_cast<unsigned short>(std::stoi(address.substr(colon + 1))), ""};
}

TEST_CASE("a request is answered, over TCP and over a unix socket") {
  std::string pattern = "/tmp/onceproxy-client-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  const bool over_unix = GENERATE(false, true);
  Server server(over_unix ? Endpoint{"", 0, directory + "/admin"} : Endpoint{"127.0.0.1", 0, ""});
  server.add("POST", "/echo/{name}", "", [](const Request& request) {
    return Response{409, "text/plain",
                    request.captures.find("name")->second + "?" + request.query.find("q")->second};
  });
  server.start();
  const auto response =
      ask(endpoint_of(server), {"POST", "/echo/" + policies::encode_percent("a/b ü") + "?q=1", ""});
  REQUIRE(response);
  CHECK(response->status == 409);
  CHECK(response->body == "a/b ü?1");
  server.stop();
  ::rmdir(directory.c_str());
}

TEST_CASE("where nobody listens the error names the address") {
  std::string address;
  Endpoint endpoint;
  {
    Server server({"127.0.0.1", 0, ""});
    endpoint = endpoint_of(server);
    address = server.address();
  }
  const auto response = ask(endpoint, {});
  REQUIRE_FALSE(response);
  CHECK(response.error() == address + ": cannot connect: Connection refused");
  CHECK(ask({"", 0, "/nowhere/admin"}, {}).error() ==
        "unix:/nowhere/admin: cannot connect: No such file or directory");
}

TEST_CASE("an answer that does not come is given up in time") {
  // The kernel accepts the connection, but no process reads from it.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(silent, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(silent, 1) == 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  const std::uint16_t port = ntohs(address.sin_port);
  const auto begun = std::chrono::steady_clock::now();
  const auto response = ask({"127.0.0.1", port, ""}, {}, 100ms);
  REQUIRE_FALSE(response);
  CHECK(response.error() ==
        "127.0.0.1:" + std::to_string(port) + ": cannot read the answer: it took too long");
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  ::close(silent);
}

}  // namespace
}  // namespace onceproxy::admin
