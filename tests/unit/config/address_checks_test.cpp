#include "config/address_checks.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

Texts with(const std::string& listen, const std::string& upstream, const std::string& rest = "") {
  return problems_in("listen: " + listen + "\nupstream: {address: \"" + upstream + "\"}\n" + rest);
}

TEST_CASE("Two listeners on one port are refused") {
  CHECK(with("[127.0.0.1:80, 127.0.0.1:80]", "b:1") ==
        Texts{"listen[1]: the same address as listen[0]; give each listener its own"});
  CHECK(with("127.0.0.1:80", "b:1", "admin: {listen: \"0.0.0.0:80\", token_file: /t}") ==
        Texts{"admin.listen: the same address as listen; give each listener its own"});
  CHECK(with("a:80", "b:1",
             "admin: {listen: \"a:81\", token_file: /t}\ntelemetry: {listen: \"A:81\"}") ==
        Texts{"telemetry.listen: the same address as admin.listen; give each listener its own"});
  CHECK(
      with("c:1", "b:1", "admin: {listen: \"unix:/a\"}\ntelemetry: {listen: \"unix:/a\"}").size() ==
      1);
}

TEST_CASE("Listeners that do not meet are fine") {
  CHECK(with("[127.0.0.1:80, 127.0.0.2:80, \"0.0.0.0:81\", \"[::]:81\"]", "b:1") == Texts{});
  CHECK(with("[127.0.0.1:0, 127.0.0.1:0]", "b:1") == Texts{});
  CHECK(with("c:1", "b:1", "admin: {listen: \"unix:/a\"}\ntelemetry: {listen: \"unix:/b\"}") ==
        Texts{});
}

TEST_CASE("The data port is no unix socket") {
  const std::string words =
      "the data port is TCP alone; unix:/path is for upstream, admin, telemetry and envoy";
  CHECK(with("\"unix:/a\"", "b:1") == Texts{"listen: " + words});
  CHECK(with("[\"a:1\", \"unix:/a\"]", "b:1") == Texts{"listen[1]: " + words});
}

TEST_CASE("An admin port that strangers reach needs a token") {
  const std::string words =
      "admin.listen: anyone who reaches this address has full control; listen on 127.0.0.1 or "
      "unix:/path, or give admin.token_file, a file with the bearer token that each request must "
      "bring, or let tls require client certificates";
  for (const char* strange :
       {"0.0.0.0:9901", "[::]:9901", "10.1.2.3:9901", "admin.internal:9901"}) {
    const std::string listen = "{listen: \"" + std::string(strange) + "\"";
    CHECK(with("127.0.0.1:80", "b:1", "admin: " + listen + "}") == Texts{words});
    CHECK(with("127.0.0.1:80", "b:1", "admin: " + listen + ", token_file: /t}") == Texts{});
  }
  for (const char* local :
       {"127.0.0.1:9901", "127.1.1.1:9901", "[::1]:9901", "localhost:9901", "unix:/run/admin"}) {
    CHECK(with("127.0.0.1:80", "b:1", "admin: {listen: \"" + std::string(local) + "\"}") ==
          Texts{});
  }
  CHECK(with("127.0.0.1:80", "b:1", "admin: {listen: \"127.0.0.1:81\", token_file: \"\"}").size() ==
        1);
}

TEST_CASE("A port for Envoy that strangers reach needs client certificates") {
  const std::string words =
      ": anyone who reaches this address can complete operations that were never executed, and "
      "read stored answers; listen on 127.0.0.1 or unix:/path, or let tls require client "
      "certificates (client_ca)";
  const auto listening = [](const std::string& listen) {
    return with("127.0.0.1:80", "b:1", "envoy: {listen: " + listen + "}");
  };
  for (const char* strange :
       {"0.0.0.0:9903", "[::]:9903", "10.1.2.3:9903", "envoy.internal:9903"}) {
    const std::string address = "address: \"" + std::string(strange) + "\"";
    CHECK(listening("\"" + std::string(strange) + "\"") == Texts{"envoy.listen" + words});
    CHECK(listening("{" + address + "}") == Texts{"envoy.listen.address" + words});
    const std::string tls = "{" + address + ", tls: {certificate: /c, key: /k";
    CHECK(listening(tls + "}}") == Texts{"envoy.listen.address" + words});
    CHECK(listening(tls + ", client_ca: /a, client_certificate: optional}}") ==
          Texts{"envoy.listen.address" + words});
    CHECK(listening(tls + ", client_ca: /a}}") == Texts{});
  }
  for (const char* local : {"127.0.0.1:9903", "[::1]:9903", "localhost:9903", "unix:/run/envoy"}) {
    CHECK(listening("\"" + std::string(local) + "\"") == Texts{});
  }
}

TEST_CASE("An upstream that is onceproxy itself is refused") {
  CHECK(with("127.0.0.1:80", "127.0.0.1:80") ==
        Texts{"upstream.address: onceproxy would forward to itself: it listens here (listen)"});
  CHECK(with("[a:81, \"0.0.0.0:80\"]", "localhost:80") ==
        Texts{"upstream.address: onceproxy would forward to itself: it listens here (listen[1])"});
  CHECK(with("a:1", "unix:/a", "admin: {listen: \"unix:/a\"}").size() == 1);
  CHECK(with("0.0.0.0:80", "api.internal:80") == Texts{});
  CHECK(with("127.0.0.1:80", "127.0.0.1:81") == Texts{});
}

}  // namespace
}  // namespace onceproxy::config
