#include "proxy/admin/hosts.hpp"

#include <catch2/catch.hpp>

#include "client.hpp"
#include "proxy/admin/server.hpp"

namespace onceproxy::admin {
namespace {

TEST_CASE("loopback, the bound address and what is listed are admitted under any port") {
  const Hosts hosts("mine", {"ops.example", "10.0.0.7", "fd00::7"});
  for (const char* host :
       {"localhost", "LocalHost:9901", "localhost.", "a.localhost", "127.0.0.1", "127.0.0.1:1",
        "127.255.0.9", "[::1]", "[::1]:9901", "mine:80", "MINE", "ops.example", "Ops.Example:80",
        "ops.example.", "10.0.0.7:9", "[fd00::7]:9", "[FD00::7]", ""}) {
    INFO(host);
    CHECK(hosts.admits(host));
  }
  for (const char* host :
       {"attacker.example", "attacker.example:9901", "localhost.attacker.example", "xlocalhost",
        ".localhost", "127.0.0.1.attacker.example", "127.1.example", "1270.0.0.1", "10.0.0.8",
        "0.0.0.0", "[::]", "[::2]", "ops.example.com", "aops.example", ":9901"}) {
    INFO(host);
    CHECK_FALSE(hosts.admits(host));
  }
}

TEST_CASE("a request by another name is answered nothing but the way out") {
  Server server({"127.0.0.1", 0, ""});
  server.answer_only_to(Hosts("127.0.0.1", {"ops.example"}));
  int asked = 0;
  for (const char* method : {"GET", "POST"}) {
    server.add(method, std::string("/") + method, "", [&](const Request&) {
      ++asked;
      return Response{200, "text/plain", "secret"};
    });
  }
  server.start();
  const auto ask = [&](const std::string& method, const std::string& host) {
    return Client(server.address())
        .exchange_one(method + " /" + method + " HTTP/1.1\r\nHost: " + host +
                      "\r\nContent-Length: 0\r\n\r\n");
  };
  for (const std::string method : {"GET", "POST"}) {
    const std::string refused = ask(method, "attacker.example:9901");
    CHECK(status(refused) == 421);
    CHECK(body(refused).find("admin.hosts") != std::string::npos);
    CHECK(body(refused).find("attacker") == std::string::npos);
    CHECK(asked == 0);
    CHECK(status(ask(method, "ops.example:1")) == 200);
    CHECK(status(ask(method, "localhost")) == 200);
    CHECK(asked == 2);
    asked = 0;
  }
}

}  // namespace
}  // namespace onceproxy::admin
