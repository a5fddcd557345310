#include "config/tls_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

const std::string service = "upstream: {address: \"127.0.0.1:1\"}\n";

Settings listening(const std::string& listen) {
  INFO(listen);
  auto result = load("listen: " + listen + "\n" + service, "f.yaml", environment_of());
  REQUIRE(result);
  return *std::move(result);
}

Texts wrong(const std::string& listen) {
  return problems_in("listen: " + listen + "\n" + service);
}

TEST_CASE("A listener is an address, a map of one, or a list of either") {
  CHECK(listening("127.0.0.1:80").listen.at(0) == ListenSettings{{"127.0.0.1", 80, ""}, {}});
  CHECK(listening("{address: \"127.0.0.1:80\"}").listen == listening("127.0.0.1:80").listen);
  const Settings both =
      listening("[127.0.0.1:80, {address: \"0.0.0.0:443\", tls: {certificate: c, key: k}}]");
  REQUIRE(both.listen.size() == 2);
  CHECK(!both.listen[0].tls);
  CHECK(both.listen[1].text() == "0.0.0.0:443");
  CHECK(both.listen[1].tls == tls::ServerOptions{"c", "k", "", true, tls::Version::tls_1_2});
}

TEST_CASE("Client certificates are required once somebody is trusted to issue them") {
  const auto tls = [](const std::string& more) {
    return *listening("{address: \"a:443\", tls: {certificate: c, key: k, " + more + "}}")
                .listen.at(0)
                .tls;
  };
  CHECK(tls("client_ca: f").client_certificate_required);
  CHECK_FALSE(tls("client_ca: f, client_certificate: optional").client_certificate_required);
  CHECK(tls("min_version: \"1.3\"").version_min == tls::Version::tls_1_3);
}

TEST_CASE("Missing and useless keys of a listener's TLS are reported") {
  CHECK(wrong("{address: \"a:443\", tls: {certificate: c}}") ==
        Texts{"listen.tls: `key` is missing"});
  CHECK(wrong("{tls: {certificate: c, key: k}}") == Texts{"listen: `address` is missing"});
  CHECK(
      wrong("[{address: \"a:1\", tls: {certificate: c, key: k, client_certificate: optional}}]") ==
      Texts{"listen[0].tls.client_certificate: has no effect without client_ca, the file with the "
            "authorities that issue client certificates"});
  CHECK(wrong("{address: \"a:443\", tls: {certificate: \"\", key: k}}").size() == 1);
  CHECK(wrong("{address: \"a:443\", tls: {certificate: c, key: k, min_version: \"1.1\"}}") ==
        Texts{"listen.tls.min_version: expected 1.2 or 1.3, found \"1.1\"; did you mean "
              "\"1.2\"?"});
  CHECK(wrong("{address: \"unix:/a\", tls: {certificate: c, key: k}}").size() == 1);
}

TEST_CASE("Two listeners on one port are found in maps too") {
  CHECK(wrong("[{address: \"a:80\"}, \"a:80\"]") ==
        Texts{"listen[1]: the same address as listen[0].address; give each listener its own"});
}

TEST_CASE("An admin port that strangers reach may ask for certificates instead of a token") {
  const auto admin = [](const std::string& more) {
    return problems("admin: {listen: {address: \"0.0.0.0:9901\", tls: {certificate: c, key: k" +
                    more + "}}}");
  };
  CHECK(admin(", client_ca: f") == Texts{});
  CHECK(admin(", client_ca: f, client_certificate: required") == Texts{});
  CHECK(admin("").size() == 1);
  CHECK(admin(", client_ca: f, client_certificate: optional").size() == 1);
  CHECK(problems("admin: {listen: \"0.0.0.0:9901\", read_token_file: f}") == Texts{});
  CHECK(loaded("admin: {listen: \"a:1\", read_token_file: f}").admin_read_token_file == "f");
}

TEST_CASE("The upstream's certificate must be for its host unless another name is given") {
  const auto upstream = [](const std::string& address, const std::string& tls) {
    return load("listen: a:1\nupstream: {address: \"" + address + "\", tls: " + tls + "}\n",
                "f.yaml", environment_of());
  };
  const auto plain = upstream("orders.internal:443", "{}");
  REQUIRE(plain);
  CHECK(plain->upstream.tls == tls::ClientOptions{"system", "orders.internal", "", ""});
  CHECK(upstream("[::1]:443", "{}")->upstream.tls->server_name == "::1");
  const auto named =
      upstream("10.0.0.1:443", "{ca: f, server_name: orders, certificate: c, key: k}");
  REQUIRE(named);
  CHECK(named->upstream.tls == tls::ClientOptions{"f", "orders", "c", "k"});
  CHECK(upstream("unix:/run/orders", "{server_name: orders}"));
}

TEST_CASE("Missing keys of the upstream's TLS are reported") {
  const auto texts = [](const std::string& address, const std::string& tls) {
    return problems_in("listen: a:1\nupstream: {address: \"" + address + "\", tls: " + tls + "}\n");
  };
  CHECK(texts("unix:/run/orders", "{}") ==
        Texts{"upstream.tls: `server_name` is missing: a unix socket has no name that a "
              "certificate could be for"});
  CHECK(texts("b:1", "{certificate: c}") == Texts{"upstream.tls: `certificate` needs its `key`"});
  CHECK(texts("b:1", "{key: k}") == Texts{"upstream.tls: `key` needs its `certificate`"});
  CHECK(texts("b:1", "{server_name: \"https://b\"}").size() == 1);
}

TEST_CASE("Policies ask for certificates only where a listener does") {
  const std::string policy =
      "policies:\n- {name: p, fingerprint: [{header: a}], scope: [{client_certificate: "
      "san_uri}]}\n";
  CHECK(problems(policy) ==
        Texts{"policies[0].scope[0].client_certificate: no listener asks clients for "
              "certificates, so this is always missing; give listen.tls.client_ca"});
  const auto with = [&](const std::string& listen) {
    return problems_in("listen: " + listen + "\n" + service + policy);
  };
  CHECK(with("{address: \"a:1\", tls: {certificate: c, key: k, client_ca: f}}") == Texts{});
  CHECK(with("[b:1, {address: \"a:1\", tls: {certificate: c, key: k, client_ca: f}}]") == Texts{});
  CHECK(with("{address: \"a:1\", tls: {certificate: c, key: k}}").size() == 1);
}

TEST_CASE("A certificate's name is one of four") {
  const auto selected = [](const std::string& name) {
    return problems_in(
        "listen: {address: \"a:1\", tls: {certificate: c, key: k, client_ca: f}}\n" + service +
        "policies:\n- {name: p, scope: shared, fingerprint: [{client_certificate: " + name +
        "}]}\n");
  };
  for (const char* name : {"san_uri", "san_dns", "subject", "sha256"}) {
    CHECK(selected(name) == Texts{});
  }
  CHECK(selected("issuer").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
