#include "config/ports.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::config {
namespace {

Ports ports_of(const std::string& text) {
  const auto read = load_ports(text, "o.yaml", [](const auto&) { return std::nullopt; });
  REQUIRE(read);
  return *read;
}

const std::string good =
    "admin: {listen: 127.0.0.1:1, token_file: /t, read_token_file: /r}\n"
    "telemetry:\n"
    "  listen: 0.0.0.0:2\n";

void is_good(const Ports& ports) {
  REQUIRE(ports.admin);
  CHECK(ports.admin->text() == "127.0.0.1:1");
  CHECK(ports.admin_token_file == "/t");
  CHECK(ports.admin_read_token_file == "/r");
  REQUIRE(ports.telemetry);
  CHECK(ports.telemetry->text() == "0.0.0.0:2");
}

TEST_CASE("what else is wrong in a file does not keep its ports from being read") {
  for (const std::string& other :
       {std::string(), std::string("policiez: []\n"), std::string("policies: [{name: UPPER}]\n"),
        std::string("upstream: ${NOT_SET}\n"), std::string("workers: 1\nworkers: 2\n"),
        std::string("limits: {a key of: tomorrow}\n")}) {
    CAPTURE(other);
    is_good(ports_of(good + other));
    is_good(ports_of(other + good));
  }
}

TEST_CASE("nor does a text that is no YAML elsewhere") {
  for (const std::string& other :
       {std::string("policies: [\n"), std::string("policies:\n\t- name: a\n"),
        std::string("policies: \"a\n"), std::string("---\nworkers: 1\n---\n")}) {
    CAPTURE(other);
    is_good(ports_of(good + other));
    is_good(ports_of(other + good));
  }
}

TEST_CASE("a key that is not known beside an address is of a later version") {
  is_good(
      ports_of("admin: {listen: 127.0.0.1:1, token_file: /t, read_token_file: /r, new: 1}\n"
               "telemetry: {listen: 0.0.0.0:2, new: 1}\n"));
}

TEST_CASE("sections that are left out are no problem") {
  const Ports none = ports_of("listen: 0.0.0.0:9900\n");
  CHECK_FALSE(none.admin);
  CHECK_FALSE(none.telemetry);
}

TEST_CASE("that an address is there and its port speaks TLS is seen") {
  const Ports ports =
      ports_of("admin: {listen: {address: 'a:1', tls: {certificate: /c, key: /k}}}\n");
  REQUIRE(ports.admin);
  CHECK(ports.admin->tls);
}

TEST_CASE("an address that cannot be read is the only problem told") {
  const auto none = [](const auto&) -> std::optional<std::string> { return std::nullopt; };
  const auto read =
      load_ports("policiez: []\ntelemetry: {listen: here}\nworkers: -1\n", "o.yaml", none);
  REQUIRE_FALSE(read);
  REQUIRE(read.error().size() == 1);
  CHECK(read.error()[0].line == 2);
  CHECK(read.error()[0].path == "telemetry.listen");
  CHECK_FALSE(load_ports("admin: {token_file: /t}\n", "o.yaml", none));
  CHECK_FALSE(load_ports("[", "o.yaml", none));
}

}  // namespace
}  // namespace onceproxy::config
