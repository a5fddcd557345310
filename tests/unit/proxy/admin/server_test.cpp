#include "proxy/admin/server.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client.hpp"

namespace onceproxy::admin {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

const Endpoint any_port{"127.0.0.1", 0, ""};

Response text(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

/// What a request was seen as.
Response echo(const Request& request) {
  std::string body = request.method + " " + request.path;
  for (const auto& [key, value] : request.query) body += " " + key + "=" + value;
  return text(body + " [" + request.body + "]");
}

void add_echo(Server& server) {
  server.add("GET", "/echo", "echo", echo);
  server.add("POST", "/echo", "echo", echo);
  server.add("POST", "/act", "act", echo);
  server.add("GET", "/big", "big",
             [](const Request&) { return text(std::string(3'000'000, 'x')); });
}

/// A directory that goes with its object.
struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "onceproxy-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

TEST_CASE("port 0 is bound to a free port, which address() tells") {
  Server first(any_port), second(any_port);
  CHECK(first.address().starts_with("127.0.0.1:"));
  CHECK(first.address() != "127.0.0.1:0");
  CHECK(first.address() != second.address());
}

TEST_CASE("a handler sees method, path, decoded query and body") {
  Server server(any_port);
  add_echo(server);
  server.start();
  CHECK(body(fetch(server.address(), "GET", "/echo")) == "GET /echo []");
  CHECK(body(fetch(server.address(), "GET", "/echo?a=b%20c&a=%2B+d&e&=f&")) ==
        "GET /echo =f a=b c a=+ d e= []");
  Client client(server.address());
  CHECK(
      body(client.exchange_one("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) ==
      "POST /echo [abc]");
}

TEST_CASE("a connection serves many requests, also when they come at once") {
  Server server(any_port);
  add_echo(server);
  server.start();
  Client client(server.address());
  const std::string request = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(status(client.exchange_one(request)) == 200);
  CHECK(status(client.exchange_one(request)) == 200);
  client.send(request + "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + request);
  CHECK(body(client.answer()) == "GET /echo []");
  CHECK(body(client.answer()) == "POST /echo [hi]");
  CHECK(body(client.answer()) == "GET /echo []");
  CHECK(body(client.exchange_one("GET /echo HTTP/1.0\r\n\r\n")) == "GET /echo []");
  CHECK(client.rest().empty());
}

TEST_CASE("HEAD gets GET's head and no body") {
  Server server(any_port);
  add_echo(server);
  server.start();
  Client client(server.address());
  client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.answer(true);
  CHECK(status(head) == 200);
  CHECK(head.find("Content-Length: 13\r\n") != std::string::npos);
  CHECK(body(client.exchange_one("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /echo []");
}

TEST_CASE("an unknown path is 404, a known one under another method 405 with Allow") {
  Server server(any_port);
  add_echo(server);
  server.start();
  const std::string unknown = fetch(server.address(), "GET", "/nothing");
  CHECK(status(unknown) == 404);
  CHECK(unknown.find("Content-Type: text/plain") != std::string::npos);
  const std::string wrong = fetch(server.address(), "GET", "/act");
  CHECK(status(wrong) == 405);
  CHECK(wrong.find("Allow: POST\r\n") != std::string::npos);
  CHECK(status(fetch(server.address(), "HEAD", "/act")) == 405);
  CHECK(fetch(server.address(), "DELETE", "/echo").find("Allow: GET, HEAD, POST\r\n") !=
        std::string::npos);
}

TEST_CASE("a path's {names} are told, decoded; what is written out goes before them") {
  Server server(any_port);
  const auto tell = [](const Request& request) {
    std::string told;
    for (const auto& [name, value] : request.captures) told += name + "=" + value + ";";
    return text(told);
  };
  server.add("GET", "/things/{name}", "one", tell);
  server.add("GET", "/things/{name}/parts/{part}", "a part", tell);
  server.add("GET", "/things/all", "all", [](const Request&) { return text("all"); });
  server.add("GET", "/things/*", "the rest", [](const Request&) { return text("rest"); });
  server.start();
  const auto got = [&](const std::string& path) {
    return body(fetch(server.address(), "GET", path));
  };
  CHECK(got("/things/a%2Fb%20+") == "name=a/b +;");
  CHECK(got("/things/x/parts/y?z=1") == "name=x;part=y;");
  CHECK(got("/things/all") == "all");
  CHECK(got("/things/") == "rest");
  CHECK(got("/things/x/") == "rest");
  CHECK(got("/things/%zz") == "rest");
  CHECK(got("/things/x/parts/") == "rest");
  CHECK(status(fetch(server.address(), "POST", "/things/x", "Content-Length: 0\r\n")) == 405);
}

TEST_CASE("a path that ends in /* covers what is below it and has no path of its own") {
  Server server(any_port);
  server.add("GET", "/records/*", "one", [](const Request& r) { return text("one " + r.path); });
  server.add("GET", "/records", "all", [](const Request&) { return text("all"); });
  server.add("GET", "/records/special", "own", [](const Request&) { return text("own"); });
  server.start();
  CHECK(body(fetch(server.address(), "GET", "/records")) == "all");
  CHECK(body(fetch(server.address(), "GET", "/records/00ff")) == "one /records/00ff");
  CHECK(body(fetch(server.address(), "GET", "/records/a/b")) == "one /records/a/b");
  CHECK(body(fetch(server.address(), "GET", "/records/special")) == "own");
  CHECK(status(fetch(server.address(), "GET", "/recordsx")) == 404);
  CHECK(status(fetch(server.address(), "GET", "/")) == 404);
}

TEST_CASE("malformed requests are refused, and the server goes on") {
  Server server(any_port);
  add_echo(server);
  server.start();
  const auto refused = [&](const std::string& bytes) {
    Client client(server.address());
    client.send(bytes);
    const std::string answer = client.rest();
    CHECK(status(fetch(server.address(), "GET", "/echo")) == 200);
    return status(answer);
  };
  CHECK(refused("rubbish\r\n\r\n") == 400);
  CHECK(refused("GET /echo HTTP/1.1\r\n\r\n") == 400);
  CHECK(refused("GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
  CHECK(refused("GET /echo?a=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 400);
  CHECK(refused("GET /echo?a=%4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 400);
  CHECK(refused("GET echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 400);
  CHECK(refused("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n") == 400);
  CHECK(refused("GET /echo HTTP/2.0\r\nHost: x\r\n\r\n") == 505);
  CHECK(refused("GET /echo HTTP/1.1\r\nHost: x\r\nA: " + std::string(40'000, 'a') + "\r\n\r\n") ==
        431);
  CHECK(refused("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" +
                std::string(1'000'000, 'a')) == 413);
}

TEST_CASE("chunked bodies are refused before their trailers are read") {
  Server server(any_port);
  add_echo(server);
  server.start();
  Client client(server.address());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " +
              std::string(70'000, 'a') + "\r\n\r\n");
  CHECK(status(client.rest()) == 411);
  CHECK(status(fetch(server.address(), "GET", "/echo")) == 200);
}

TEST_CASE("a web page may read, but not change anything") {
  Server server(any_port);
  add_echo(server);
  server.start();
  CHECK(status(fetch(server.address(), "POST", "/echo", "Origin: http://evil.example\r\n")) == 403);
  CHECK(status(fetch(server.address(), "GET", "/echo", "Origin: http://evil.example\r\n")) == 200);
}

TEST_CASE("a client that expects 100-continue gets it") {
  Server server(any_port);
  add_echo(server);
  server.start();
  Client client(server.address());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(client.answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(body(client.exchange_one("abc")) == "POST /echo [abc]");
}

TEST_CASE("a handler that throws answers 500 and says nothing of why") {
  Server server(any_port);
  server.add("GET", "/throw", "throw",
             [](const Request&) -> Response { throw std::runtime_error("secret"); });
  server.add("GET", "/odd", "a status that is none", [](const Request&) {
    Response response;
    response.status = 12'345;
    return response;
  });
  server.add("GET", "/", "root", [](const Request&) { return text("root"); });
  server.start();
  const std::string answer = fetch(server.address(), "GET", "/throw");
  CHECK(status(answer) == 500);
  CHECK(answer.find("secret") == std::string::npos);
  fetch(server.address(), "GET", "/odd");
  CHECK(status(fetch(server.address(), "GET", "/")) == 200);
}

TEST_CASE("silent connections keep nobody out") {
  Server server(any_port);
  add_echo(server);
  server.start();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(std::make_unique<Client>(server.address()));
    if (i % 2 == 0) silent.back()->send("GET /echo HT");
  }
  CHECK(status(fetch(server.address(), "GET", "/echo")) == 200);
  // The longest silent one had to go.
  CHECK(silent.front()->rest().empty());
  CHECK(silent.front()->hung_up());
}

TEST_CASE("a client that leaves in the middle disturbs nobody") {
  Server server(any_port);
  add_echo(server);
  server.start();
  for (const std::string bytes :
       {"", "GET /ec", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    Client client(server.address());
    client.send(bytes);
  }
  CHECK(body(fetch(server.address(), "GET", "/big")).size() == 3'000'000);
}

TEST_CASE("stop waits for the request under way and lets its answer out") {
  Server server(any_port);
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, leave = false;
  server.add("GET", "/slow", "slow", [&](const Request&) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return leave; });
    // More than a socket takes at once.
    return text(std::string(8'000'000, 'x') + "done");
  });
  server.start();
  Client client(server.address());
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  std::atomic<bool> stopped{false};
  std::thread stopper;
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
    stopper = std::thread([&] {
      server.stop();
      stopped = true;
    });
    CHECK_FALSE(stopped);
    leave = true;
    changed.notify_all();
  }
  const std::string answer = body(client.rest());
  CHECK(answer.size() == 8'000'004);
  CHECK(answer.ends_with("done"));
  stopper.join();
  CHECK_FALSE(Client(server.address()).connected());
  server.stop();
}

TEST_CASE("stop closes silent connections and waits for no slow reader beyond a second") {
  Server server(any_port);
  server.add("GET", "/huge", "huge",
             [](const Request&) { return text(std::string(50'000'000, 'x')); });
  server.start();
  Client silent(server.address());
  Client slow(server.address());
  slow.send("GET /huge HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status(fetch(server.address(), "GET", "/")) == 404);
  const auto begin = Clock::now();
  server.stop();
  CHECK(Clock::now() - begin < 3s);
  CHECK(silent.rest().empty());
  CHECK(silent.hung_up());
}

TEST_CASE("a handler may stop its server, and its client still hears so") {
  Server server(any_port);
  server.add("POST", "/quit", "quit", [&](const Request&) {
    server.stop();
    return text("OK");
  });
  server.start();
  CHECK(body(fetch(server.address(), "POST", "/quit", "Content-Length: 0\r\n")) == "OK");
  server.stop();
  CHECK_FALSE(Client(server.address()).connected());
}

TEST_CASE("a server that was never started ends all the same") {
  Directory directory;
  const std::string path = directory.path / "admin";
  {
    Server server({"", 0, path});
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an address that cannot be bound is named in the error") {
  Server first(any_port);
  const std::string address = first.address();
  const auto port = static_cast<unsigned short>(std::stoi(address.substr(address.rfind(':') + 1)));
  REQUIRE_THROWS_AS(Server({"127.0.0.1", port, ""}), std::system_error);
  REQUIRE_THROWS_WITH(
      Server({"127.0.0.1", port, ""}),
      Catch::Contains("cannot listen on " + address) && Catch::Contains("Address already in use"));
  REQUIRE_THROWS_AS(Server({"", 0, ""}), std::system_error);
  REQUIRE_THROWS_WITH(Server({"no such host", 1, ""}),
                      Catch::Contains("cannot listen on no such host:1"));
  REQUIRE_THROWS_WITH(Server({"", 0, "/nonexistent/admin"}),
                      Catch::Contains("cannot listen on unix:/nonexistent/admin"));
  REQUIRE_THROWS_WITH(Server({"", 0, "/" + std::string(200, 'a')}), Catch::Contains("unix:/aaa"));
}

TEST_CASE("a unix socket serves its owner alone, and goes when the server stops") {
  Directory directory;
  const std::string path = directory.path / "admin";
  Server server({"", 0, path});
  add_echo(server);
  server.start();
  CHECK(server.address() == "unix:" + path);
  struct stat status_of_file {};
  REQUIRE(stat(path.c_str(), &status_of_file) == 0);
  CHECK((status_of_file.st_mode & 07777) == 0600);
  CHECK(body(fetch(server.address(), "GET", "/echo")) == "GET /echo []");
  server.stop();
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a unix socket left behind is replaced; one in use and other files are not") {
  Directory directory;
  const std::string path = directory.path / "admin";
  const int left_behind = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
  REQUIRE(bind(left_behind, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  close(left_behind);
  {
    Server server({"", 0, path});
    add_echo(server);
    server.start();
    CHECK(status(fetch(server.address(), "GET", "/echo")) == 200);
    REQUIRE_THROWS_AS(Server({"", 0, path}), std::system_error);
    CHECK(status(fetch(server.address(), "GET", "/echo")) == 200);
    // Replaced by another process's file: not ours to remove.
    std::filesystem::remove(path);
    std::ofstream(path) << "precious";
  }
  CHECK(std::filesystem::exists(path));
  REQUIRE_THROWS_AS(Server({"", 0, path}), std::system_error);
  CHECK(std::filesystem::file_size(path) == 8);
}

}  // namespace
}  // namespace onceproxy::admin
