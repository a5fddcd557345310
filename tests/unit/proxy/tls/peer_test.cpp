#include "proxy/tls/peer.hpp"

#include "authority.hpp"

namespace onceproxy::tls {
namespace {

using namespace testing;

TEST_CASE("a name that could end a header field or start another one is no name") {
  const Issued certificate = Issued::make(
      {.name = "a\r\nx-admin: 1", .names = "DNS:good.example,DNS:bad\x01host,URI:spiffe://a/b"});
  const Peer peer = identity_of(*certificate.certificate);
  CHECK(peer.hosts == std::vector<std::string>{"good.example"});
  CHECK(peer.uris == std::vector<std::string>{"spiffe://a/b"});
  CHECK(peer.subject == "CN=a\\0D\\0Ax-admin: 1");
  CHECK(peer.sha256.size() == 64);
}

TEST_CASE("a name with a quote or a backslash is no name") {
  const Issued certificate =
      Issued::make({.names = "URI:x\\;URI=spiffe://admin,URI:a\"b,DNS:good.example"});
  const Peer peer = identity_of(*certificate.certificate);
  CHECK(peer.uris.empty());
  CHECK(peer.hosts == std::vector<std::string>{"good.example"});
}

TEST_CASE("a subject beyond ASCII is escaped") {
  const Issued certificate = Issued::make({.name = "Zo\xc3\xab \"Q\", Ltd"});
  CHECK(identity_of(*certificate.certificate).subject == "CN=Zo\\C3\\AB \\\"Q\\\"\\, Ltd");
}

TEST_CASE("a certificate without alternative names has none") {
  const Peer peer = identity_of(*Issued::make({.name = "plain"}).certificate);
  CHECK(peer.hosts.empty());
  CHECK(peer.uris.empty());
}

}  // namespace
}  // namespace onceproxy::tls
