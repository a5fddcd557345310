#include "proxy/tls/session.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include "authority.hpp"
#include "proxy/tls/peer.hpp"

namespace onceproxy::tls {
namespace {

using namespace testing;
using Result = Session::Result;
using std::chrono::system_clock;

/// Two ends of a connection that hold little, so that what is large has to wait.
struct Sockets {
  int ends[2];
  Sockets() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0); }
  ~Sockets() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
};

struct World {
  Directory directory;
  Issued root = Issued::make({.name = "Root", .authority = true});
  Issued own = Issued::make(
      {.name = "server", .names = "DNS:localhost,IP:127.0.0.1,URI:spiffe://a/us"}, &root);
  TicketKeys tickets;
  ServerOptions server_options;
  ClientOptions client_options;

  World() {
    server_options.certificate = directory.write("tls.crt", own.pem() + root.pem());
    server_options.key = directory.write("tls.key", own.key_pem());
    client_options.ca = directory.write("ca.crt", root.pem());
    client_options.server_name = "localhost";
  }

  std::shared_ptr<const ServerContext> server(Protocols protocols = Protocols::http1) {
    auto made = ServerContext::make(
        server_options, read_credentials(server_options, system_clock::now()), tickets, protocols);
    REQUIRE(made);
    return *made;
  }
  std::shared_ptr<const ClientContext> client() {
    auto made =
        ClientContext::make(client_options, read_credentials(client_options, system_clock::now()));
    REQUIRE(made);
    return *made;
  }
  void show(const Issued& client) {
    client_options.certificate = directory.write("client.crt", client.pem());
    client_options.key = directory.write("client.key", client.key_pem());
  }
};

struct Pair {
  Sockets sockets;
  Session server;
  Session client;

  Pair(std::shared_ptr<const ServerContext> a, std::shared_ptr<const ClientContext> b)
      : server(std::move(a), sockets.ends[0]), client(std::move(b), sockets.ends[1]) {}
  explicit Pair(World& world) : Pair(world.server(), world.client()) {}

  /// True: both sides are done.
  bool shake() {
    Result ours = Result::wants_read, theirs = Result::wants_read;
    for (int i = 0; i < 20; ++i) {
      if (theirs != Result::done && theirs != Result::failed) theirs = client.handshake();
      if (ours != Result::done && ours != Result::failed) ours = server.handshake();
    }
    return ours == Result::done && theirs == Result::done;
  }
};

std::string read_all(Session& session, Result& last) {
  std::string out;
  char bytes[4096];
  std::size_t got = 0;
  while ((last = session.read(bytes, sizeof bytes, got)) == Result::done) out.append(bytes, got);
  return out;
}

Result write_all(Session& session, std::vector<std::string_view> parts, std::size_t& taken) {
  return session.write(parts, taken);
}

TEST_CASE_METHOD(World, "parts arrive as one, in order and whole") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  std::size_t taken = 0;
  const std::string large(40'000, 'x');
  CHECK(write_all(pair.server, {"head", "", large, "tail"}, taken) == Result::done);
  CHECK(taken == large.size() + 8);
  Result last;
  CHECK(read_all(pair.client, last) == "head" + large + "tail");
  CHECK(last == Result::wants_read);
}

TEST_CASE_METHOD(World, "what both sides speak is agreed on, or there is no connection") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  CHECK(pair.server.protocol() == "http/1.1");
  // Our own client does not offer it.
  Pair other(server(Protocols::http2), client());
  CHECK_FALSE(other.shake());
  CHECK(other.server.failure().reason == "protocol");
}

TEST_CASE_METHOD(World, "a small answer in several parts is one record") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  Result last;
  read_all(pair.client, last);
  const std::uint64_t before = pair.server.bytes_sent();
  std::size_t taken = 0;
  CHECK(write_all(pair.server, {"head", "body"}, taken) == Result::done);
  // A record's head, its content's type and its tag: 22 bytes (RFC 8446, section 5.2).
  CHECK(pair.server.bytes_sent() - before == 8 + 22);
}

TEST_CASE_METHOD(World, "a write that has to wait goes on where it was") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  std::string large;
  for (int i = 0; large.size() < 2'000'000; ++i) large += std::to_string(i);
  std::vector<std::string_view> parts{"head", large};
  std::size_t taken = 0;
  std::string got;
  Result last;
  int waits = 0;
  while (pair.server.write(parts, taken) == Result::wants_write) {
    ++waits;
    got += read_all(pair.client, last);
  }
  got += read_all(pair.client, last);
  CHECK(waits > 0);
  CHECK(got == "head" + large);
  CHECK(taken == large.size() + 4);
}

TEST_CASE_METHOD(World, "close_notify is an end, and the other direction goes on") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  CHECK(pair.client.finish() == Result::done);
  Result last;
  read_all(pair.server, last);
  CHECK(last == Result::end);
  std::size_t taken = 0;
  CHECK(write_all(pair.server, {"answer"}, taken) == Result::done);
  CHECK(read_all(pair.client, last) == "answer");
}

TEST_CASE_METHOD(World, "an end without close_notify is a failure") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  ::shutdown(pair.sockets.ends[0], SHUT_WR);
  Result last;
  read_all(pair.client, last);
  CHECK(last == Result::failed);
}

TEST_CASE_METHOD(World, "session tickets are quiet, bytes and ends are not") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  CHECK(pair.client.quiet());
  std::size_t taken = 0;
  SECTION("bytes") {
    CHECK(write_all(pair.server, {"x"}, taken) == Result::done);
    CHECK_FALSE(pair.client.quiet());
  }
  SECTION("an end") {
    CHECK(pair.server.finish() == Result::done);
    CHECK_FALSE(pair.client.quiet());
  }
}

TEST_CASE_METHOD(World, "after a failed write the number of unsent bytes is known") {
  Pair pair(*this);
  REQUIRE(pair.shake());
  Result last;
  read_all(pair.client, last);
  ::shutdown(pair.sockets.ends[1], SHUT_WR);
  const std::uint64_t before = pair.client.bytes_sent();
  std::size_t taken = 0;
  CHECK(write_all(pair.client, {"request"}, taken) == Result::failed);
  CHECK(taken == 0);
  CHECK(pair.client.bytes_sent() == before);
}

TEST_CASE_METHOD(World, "sessions are resumed in both versions, by another context's copy too") {
  const long version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto a = server();
  const auto b = client();
  SSL_CTX_set_max_proto_version(b->native(), version);
  Result last;
  {
    Pair first(a, b);
    REQUIRE(first.shake());
    CHECK_FALSE(first.server.resumed());
    read_all(first.client, last);
  }
  Pair second(server(), b);
  REQUIRE(second.shake());
  CHECK(second.server.resumed());
  CHECK(second.client.resumed());
}

TEST_CASE_METHOD(World, "a client's certificate is asked for, shown and told") {
  server_options.client_ca = client_options.ca;
  const Issued caller = Issued::make(
      {.name = "caller", .names = "DNS:b.example,URI:spiffe://a/caller,DNS:c.example"}, &root);
  SECTION("shown") {
    show(caller);
    Pair pair(*this);
    REQUIRE(pair.shake());
    const auto peer = peer_of(pair.server.native());
    REQUIRE(peer);
    CHECK(peer->uris == std::vector<std::string>{"spiffe://a/caller"});
    CHECK(peer->hosts == std::vector<std::string>{"b.example", "c.example"});
    CHECK(peer->subject == "CN=caller");
    CHECK(peer->sha256.size() == 64);
    CHECK(peer->forwarded ==
          "By=spiffe://a/us;Hash=" + peer->sha256 +
              ";Subject=\"CN=caller\";URI=spiffe://a/caller;DNS=b.example;DNS=c.example");
  }
  SECTION("missing where it is required") {
    Pair pair(*this);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "no-certificate");
  }
  SECTION("missing where it is optional") {
    server_options.client_certificate_required = false;
    Pair pair(*this);
    REQUIRE(pair.shake());
    CHECK_FALSE(peer_of(pair.server.native()));
  }
  SECTION("of a stranger, also where it is optional") {
    server_options.client_certificate_required = false;
    const Issued stranger = Issued::make({.name = "Stranger", .authority = true});
    show(Issued::make({.name = "caller"}, &stranger));
    Pair pair(*this);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "bad-certificate");
  }
}

TEST_CASE_METHOD(World, "no session outlives the trust in who issued its certificate") {
  const long version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  server_options.client_ca = client_options.ca;
  show(Issued::make({.name = "caller"}, &root));
  const auto b = client();
  SSL_CTX_set_max_proto_version(b->native(), version);
  Result last;
  {
    Pair first(server(), b);
    REQUIRE(first.shake());
    read_all(first.client, last);
  }
  {
    Pair again(server(), b);
    REQUIRE(again.shake());
    CHECK(again.server.resumed());
    CHECK(peer_of(again.server.native()));
    read_all(again.client, last);
  }
  const Issued other = Issued::make({.name = "Other", .authority = true});
  server_options.client_ca = directory.write("other.crt", other.pem());
  Pair after(server(), b);
  CHECK_FALSE(after.shake());
  CHECK(after.server.failure().reason == "bad-certificate");
}

TEST_CASE_METHOD(World, "a client whose certificate has no end in sight resumes its session") {
  const long version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  server_options.client_ca = client_options.ca;
  show(Issued::make({.name = "device", .ends = thousands_of_years}, &root));
  const auto b = client();
  SSL_CTX_set_max_proto_version(b->native(), version);
  {
    Pair first(server(), b);
    REQUIRE(first.shake());
    Result last;
    read_all(first.client, last);
  }
  Pair again(server(), b);
  REQUIRE(again.shake());
  CHECK(again.server.resumed());
}

TEST_CASE_METHOD(World, "a server's certificate must be for its name, its address and now") {
  SECTION("another name") {
    client_options.server_name = "example.com";
    Pair pair(*this);
    CHECK_FALSE(pair.shake());
    CHECK(pair.client.failure().reason == "bad-certificate");
    CHECK(pair.client.failure().message == "certificate verify failed: hostname mismatch");
    CHECK(pair.server.failure().reason == "refused");
  }
  SECTION("its address") {
    client_options.server_name = "127.0.0.1";
    Pair pair(*this);
    CHECK(pair.shake());
  }
  SECTION("another address") {
    client_options.server_name = "127.0.0.2";
    Pair pair(*this);
    CHECK_FALSE(pair.shake());
    CHECK(pair.client.failure().message == "certificate verify failed: IP address mismatch");
  }
  SECTION("a final dot is none of the name") {
    client_options.server_name = "localhost.";
    Pair pair(*this);
    CHECK(pair.shake());
  }
  SECTION("expired") {
    own = Issued::make({.names = "DNS:localhost", .begins = -48h, .ends = -24h}, &root);
    server_options.certificate = directory.write("tls.crt", own.pem());
    server_options.key = directory.write("tls.key", own.key_pem());
    Pair pair(*this);
    CHECK_FALSE(pair.shake());
    CHECK(pair.client.failure().message == "certificate verify failed: certificate has expired");
  }
}

TEST_CASE_METHOD(World, "old versions, other protocols and what is no TLS are told apart") {
  const auto b = client();
  SECTION("TLS 1.1") {
    SSL_CTX_set_security_level(b->native(), 0);
    SSL_CTX_set_min_proto_version(b->native(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(b->native(), TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(b->native(), "ALL:@SECLEVEL=0");
    Pair pair(server(), b);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "version");
  }
  SECTION("TLS 1.2 where 1.3 is wanted") {
    server_options.version_min = Version::tls_1_3;
    SSL_CTX_set_max_proto_version(b->native(), TLS1_2_VERSION);
    Pair pair(server(), b);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "version");
  }
  SECTION("ciphers") {
    SSL_CTX_set_max_proto_version(b->native(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(b->native(), "AES128-SHA");
    Pair pair(server(), b);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "cipher");
  }
  SECTION("HTTP/2 alone") {
    static constexpr unsigned char h2[] = "\x02h2";
    SSL_CTX_set_alpn_protos(b->native(), h2, 3);
    Pair pair(server(), b);
    CHECK_FALSE(pair.shake());
    CHECK(pair.server.failure().reason == "protocol");
  }
  SECTION("plain HTTP") {
    Sockets sockets;
    Session session(server(), sockets.ends[0]);
    REQUIRE(::send(sockets.ends[1], "GET / HTTP/1.1\r\n\r\n", 18, 0) == 18);
    CHECK(session.handshake() == Result::failed);
    CHECK(session.failure().reason == "not-tls");
  }
  SECTION("a client that leaves") {
    Sockets sockets;
    Session session(server(), sockets.ends[0]);
    ::shutdown(sockets.ends[1], SHUT_WR);
    CHECK(session.handshake() == Result::failed);
    CHECK(session.failure().reason == "closed");
  }
}

}  // namespace
}  // namespace onceproxy::tls
