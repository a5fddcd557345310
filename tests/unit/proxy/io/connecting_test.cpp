#include "proxy/io/connecting.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <vector>

namespace onceproxy::io {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Fixture : Connecting::Owner {
  asio::io_context context;
  std::vector<Acceptor> acceptors;
  std::vector<Socket> fillers;
  std::optional<std::size_t> index;
  std::optional<Socket> made;
  bool failed = false;

  void connected(Socket socket, std::size_t which) override {
    index = which;
    made.emplace(std::move(socket));
  }
  void not_connected() override { failed = true; }

  /// On a port that the kernel chooses.
  static SocketAddress loopback() {
    return tcp::endpoint(asio::ip::address_v4::loopback(), 0);
  }
  /// One that is listened on.
  SocketAddress answering() {
    Acceptor& acceptor = acceptors.emplace_back(context, loopback());
    return acceptor.local_endpoint();
  }
  /// An address on which no process listens.
  SocketAddress refusing() {
    Acceptor acceptor(context, loopback());
    return acceptor.local_endpoint();
  }
  /// An address that does not answer, because the listen queue is full.
  SocketAddress silent() {
    Acceptor& acceptor = acceptors.emplace_back(context, loopback().protocol());
    acceptor.bind(loopback());
    acceptor.listen(0);
    const SocketAddress address = acceptor.local_endpoint();
    for (int i = 0; i < 3; ++i) {
      fillers.emplace_back(context).async_connect(address, [](ErrorCode) {});
    }
    context.poll();
    return address;
  }

  void run(const std::vector<SocketAddress>& addresses, milliseconds within) {
    Connecting connecting(context, *this, addresses, within);
    if (!connecting.start()) failed = true;
    while (!made && !failed) context.run_one_for(std::chrono::seconds(10));
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "the first address that answers is taken") {
  run({answering(), answering()}, milliseconds(1'000));
  CHECK(index == 0U);
}

TEST_CASE_METHOD(Fixture, "an address that refuses is passed over at once") {
  // With a wait each time these would take longer than the test may.
  std::vector<SocketAddress> addresses(40, refusing());
  addresses.push_back(answering());
  const auto began = steady_clock::now();
  run(addresses, milliseconds(600'000));
  CHECK(index == 40U);
  CHECK(steady_clock::now() - began < std::chrono::seconds(8));
}

TEST_CASE_METHOD(Fixture, "an address that is silent is passed over after a while") {
  run({silent(), answering()}, milliseconds(60'000));
  CHECK(index == 1U);
}

TEST_CASE_METHOD(Fixture, "every address is tried within the time, however short it is") {
  std::vector<SocketAddress> addresses(20, silent());
  addresses.push_back(answering());
  const auto began = steady_clock::now();
  run(addresses, milliseconds(100));
  CHECK(index == 20U);
  // Twenty times 10 ms; it would be twenty times 250 without the bound.
  CHECK(steady_clock::now() - began < std::chrono::seconds(4));
}

TEST_CASE_METHOD(Fixture, "an address that is slow still has its chance when others were tried") {
  const std::vector<SocketAddress> addresses{silent(), refusing()};
  Connecting connecting(context, *this, addresses, milliseconds(20));
  REQUIRE(connecting.start());
  context.run_for(milliseconds(50));
  CHECK_FALSE(failed);
  // Room in the queue: the kernel tries again after a second.
  Acceptor& acceptor = acceptors.front();
  acceptor.non_blocking(true);
  ErrorCode error;
  while (!error) acceptor.accept(error);
  while (!made && !failed) {
    context.run_one_for(std::chrono::seconds(10));
    error = {};
    while (!error) acceptor.accept(error);
  }
  CHECK(index == 0U);
}

TEST_CASE_METHOD(Fixture, "when no address is left it has failed") {
  run({refusing(), refusing()}, milliseconds(1'000));
  CHECK(failed);
  CHECK_FALSE(made);
}

TEST_CASE_METHOD(Fixture, "a connection attempt that is cancelled calls nothing") {
  {
    const std::vector<SocketAddress> addresses{silent(), answering()};
    Connecting connecting(context, *this, addresses, milliseconds(20));
    REQUIRE(connecting.start());
  }
  context.run_for(milliseconds(100));
  CHECK_FALSE(made);
  CHECK_FALSE(failed);
}

}  // namespace onceproxy::io
