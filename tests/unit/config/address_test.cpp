#include "config/scalars.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("An address is a host and a port, or a unix socket") {
  const auto v4 = parse_address("127.0.0.1:8080");
  REQUIRE(v4);
  CHECK(v4->host == "127.0.0.1");
  CHECK(v4->port == 8080);
  CHECK(v4->text() == "127.0.0.1:8080");

  const auto v6 = parse_address("[::1]:80");
  REQUIRE(v6);
  CHECK(v6->host == "::1");
  CHECK(v6->text() == "[::1]:80");

  const auto name = parse_address("my_api.internal-1:65535");
  REQUIRE(name);
  CHECK(name->port == 65'535);

  const auto socket = parse_address("unix:/run/a.sock");
  REQUIRE(socket);
  CHECK(socket->host.empty());
  CHECK(socket->unix_path == "/run/a.sock");
  CHECK(socket->text() == "unix:/run/a.sock");
}

TEST_CASE("An address that is not valid is refused with the missing part") {
  const auto wrong = [](const std::string& text) { return parse_address(text).error(); };
  const std::string expected =
      "expected an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path, found ";
  CHECK(wrong("8080") == expected + "\"8080\"; the host is missing");
  CHECK(wrong(":8080") == expected + "\":8080\"; for every interface write 0.0.0.0:8080");
  CHECK(wrong("*:8080") == expected + "\"*:8080\"; for every interface write 0.0.0.0:8080");
  CHECK(wrong("api") == expected + "\"api\"; the port is missing");
  CHECK(wrong("::1") == expected + "\"::1\"; brackets and a port are missing");
  CHECK(wrong("http://api:80/") == expected + "\"http://api:80/\"; leave out the scheme: api:80");
  CHECK(wrong("api:80a") == expected + "\"api:80a\"");
  CHECK(wrong("") == expected + "\"\"; the port is missing");
  CHECK(wrong("1.2.3:80") == expected + "\"1.2.3:80\"");
  CHECK(wrong("a b:80") == expected + "\"a b:80\"");
  CHECK(wrong("-a:80") == expected + "\"-a:80\"");
  CHECK(wrong("a..b:80") == expected + "\"a..b:80\"");
  CHECK(wrong("[::1:80") == expected + "\"[::1:80\"");
  CHECK(wrong("[127.0.0.1]:80") == "\"127.0.0.1\" is not an IPv6 address");
  CHECK(wrong("a:65536") == "a port is from 0 to 65535, found \"65536\"");
  CHECK(wrong("a:99999999999999999999") ==
        "a port is from 0 to 65535, found \"99999999999999999999\"");
  CHECK(wrong("unix:run/a") ==
        "a unix socket is written unix:/path, with an absolute path, found \"run/a\"");
  CHECK(wrong("unix:/" + std::string(107, 'a')) ==
        "the path of a unix socket has at most 107 bytes, found 108");
  CHECK(parse_address("unix:/" + std::string(106, 'a')));
}

TEST_CASE("Port 0 is for listeners") {
  CHECK(loaded("telemetry: {listen: \"[::1]:0\"}").telemetry->port == 0);
  CHECK(problems_in("listen: a:0\nupstream: {address: \"a:0\"}") ==
        Texts{"upstream.address: port 0 is for listeners alone: nothing can be reached there"});
}

}  // namespace
}  // namespace onceproxy::config
