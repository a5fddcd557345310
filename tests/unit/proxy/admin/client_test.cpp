#include "proxy/admin/client.hpp"

#include <stdlib.h>
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

}  // namespace
}  // namespace onceproxy::admin
