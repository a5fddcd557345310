#include "proxy/io/listener.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace onceproxy::io {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    char name[] = "/tmp/onceproxy-listener-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path); }
  fs::path path;
};

EventLoop::OnRound nothing() {
  return [](bool) { return true; };
}

Endpoint unix_at(const fs::path& path) {
  return {"", 0, path.string()};
}

/// True: somebody listens there.
bool connects(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return connected;
}

}  // namespace

TEST_CASE("a unix socket listens for each loop, and is named by its path") {
  const Directory directory;
  const fs::path path = directory.path / "s";
  EventLoop one([] {}, nothing());
  EventLoop two([] {}, nothing());
  const BoundAddress bound = bind_listeners(unix_at(path), {&one, &two});
  CHECK(bound.text == "unix:" + path.string());
  CHECK(bound.acceptors.size() == 2);
  CHECK(connects(path));
}

TEST_CASE("a unix socket that somebody listens on is not taken away from them") {
  const Directory directory;
  const fs::path path = directory.path / "s";
  EventLoop loop([] {}, nothing());
  const BoundAddress first = bind_listeners(unix_at(path), {&loop});
  try {
    bind_listeners(unix_at(path), {&loop});
    FAIL("bound twice");
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what())
              .find("cannot listen on unix:" + path.string() +
                    " (another process listens there)") == 0);
  }
  CHECK(connects(path));
}

TEST_CASE("a unix socket that was left behind is replaced, and other files are not") {
  const Directory directory;
  const fs::path path = directory.path / "s";
  EventLoop loop([] {}, nothing());
  { const BoundAddress left = bind_listeners(unix_at(path), {&loop}); }
  CHECK(fs::exists(path));
  CHECK_FALSE(connects(path));
  const BoundAddress again = bind_listeners(unix_at(path), {&loop});
  CHECK(connects(path));

  const fs::path file = directory.path / "file";
  std::ofstream(file) << "kept";
  CHECK_THROWS_AS(bind_listeners(unix_at(file), {&loop}), std::system_error);
  CHECK(fs::file_size(file) == 4);
}

TEST_CASE("a path that does not fit an address is told, not cut off") {
  const Directory directory;
  EventLoop loop([] {}, nothing());
  CHECK_THROWS_AS(bind_listeners(unix_at(directory.path / std::string(200, 'x')), {&loop}),
                  std::system_error);
}

TEST_CASE("a port that somebody listens on is not shared") {
  EventLoop loop([] {}, nothing());
  const BoundAddress first = bind_listeners({"127.0.0.1", 0, ""}, {&loop});
  const auto colon = first.text.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(first.text.substr(colon + 1)));
  CHECK(port != 0);
  CHECK_THROWS_AS(bind_listeners({"127.0.0.1", port, ""}, {&loop}), std::system_error);
}

}  // namespace onceproxy::io
