#include "proxy/admin/bearer.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "client.hpp"
#include "proxy/admin/server.hpp"

namespace onceproxy::admin {
namespace {

struct TokenFile {
  TokenFile() {
    std::string pattern = "/tmp/onceproxy-bearer-XXXXXX";
    directory = ::mkdtemp(pattern.data());
  }
  ~TokenFile() { std::filesystem::remove_all(directory); }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  std::string path() const { return directory + "/token"; }
  std::string directory;
};

TEST_CASE("only the whole token admits") {
  const TokenFile file;
  file.write("s3cret-token\n");
  const Bearer bearer(file.path());
  CHECK(bearer.admits("Bearer s3cret-token"));
  CHECK(bearer.admits("bearer s3cret-token"));
  for (const char* other : {"", "Bearer", "Bearer ", "Bearer s3cret-toke", "Bearer s3cret-tokens",
                            "Bearer S3cret-token", "Basic s3cret-token", "s3cret-token",
                            "Bearer  s3cret-token", "Bearer s3cret-tokens3cret-token"}) {
    CHECK_FALSE(bearer.admits(other));
  }
}

TEST_CASE("a token that was replaced counts at once, and one that is gone lets nobody in") {
  const TokenFile file;
  file.write("one");
  const Bearer bearer(file.path());
  file.write("two");
  CHECK(bearer.admits("Bearer two"));
  CHECK_FALSE(bearer.admits("Bearer one"));
  file.write(" \n");
  CHECK_FALSE(bearer.admits("Bearer "));
  std::filesystem::remove(file.path());
  CHECK_FALSE(bearer.admits("Bearer two"));
}

TEST_CASE("without a token there is no beginning, and the message names the file") {
  const TokenFile file;
  CHECK_THROWS_WITH(Bearer(file.path()), "admin.token_file " + file.path() +
                                             ": no token can be read: No such file or directory");
  file.write("\n");
  CHECK_THROWS_WITH(Bearer(file.path()),
                    "admin.token_file " + file.path() + ": no token can be read: it is empty");
}

TEST_CASE("a server that requires a token answers nobody else, whatever is asked") {
  const TokenFile file;
  file.write("right");
  Server server({"127.0.0.1", 0, ""});
  int calls = 0;
  server.add("POST", "/change", "", [&](const Request&) {
    ++calls;
    return Response{200, "text/plain", "changed"};
  });
  server.require(Bearer(file.path()));
  server.start();
  const std::string stranger = fetch(server.address(), "POST", "/change");
  CHECK(status(stranger) == 401);
  CHECK(stranger.find("WWW-Authenticate: Bearer\r\n") != std::string::npos);
  CHECK(status(fetch(server.address(), "GET", "/nothing")) == 401);
  CHECK(status(fetch(server.address(), "POST", "/change", "Authorization: Bearer wrong\r\n")) ==
        401);
  CHECK(status(fetch(server.address(), "POST", "/change", "Authorization: Bearer right\r\n")) ==
        200);
  server.stop();
  CHECK(calls == 1);
}

}  // namespace
}  // namespace onceproxy::admin
