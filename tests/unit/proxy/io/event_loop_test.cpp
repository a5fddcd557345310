#include "proxy/io/event_loop.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "proxy/io/watch.hpp"

namespace onceproxy::io {
namespace {

using Log = std::vector<std::string>;

/// Notes what it is told, and does then what the test wants.
struct Step {
  Step(Log& log, std::string its_name) : told(log), name(std::move(its_name)) {}
  void note(const std::string& what) {
    told.push_back(name + " " + what);
    if (then) then();
  }
  Log& told;
  std::string name;
  std::function<void()> then;
};

/// A client that sends something.
struct Event final : Watch::Owner, Step {
  Event(EventLoop& loop, Log& log, std::string name) : Step(log, std::move(name)), loop_(loop) {
    Pair::socket peer(context_);
    Pair::socket ours(context_);
    asio::local::connect_pair(peer, ours);
    peer_ = peer.release();
    Socket socket(loop.context());
    socket.assign(Pair(), ours.release());
    watch_ = new Watch(std::move(socket), *this);
    watch_->wait_readable();
  }
  ~Event() {
    watch_->close();
    ::close(peer_);
  }
  void happen() const { REQUIRE(::write(peer_, "x", 1) == 1); }
  void readable(ErrorCode error) override {
    REQUIRE_FALSE(error);
    loop_.woke();
    note("reads");
  }
  void writable(ErrorCode) override {}

 private:
  using Pair = asio::local::stream_protocol;
  EventLoop& loop_;
  asio::io_context context_;
  int peer_ = -1;
  Watch::Pointer watch_;
};

struct Later final : EventLoop::Deferred, Step {
  using Step::Step;
  void run() override { note("runs"); }
};

struct Write final : EventLoop::Writing, Step {
  Write(Log& log, std::string name, bool wants_to_know)
      : Step(log, std::move(name)), wants_to_know_(wants_to_know) {}
  bool write_now() override {
    note("writes");
    return wants_to_know_;
  }
  void written() override { told.push_back(name + " has written"); }

 private:
  const bool wants_to_know_;
};

/// A loop that notes its rounds, and is stopped by the first round without events.
struct Fixture {
  Log log;
  int rounds = 0;
  EventLoop loop{[] {},
                 [this](bool quiet) {
                   log.push_back("round");
                   if (++rounds > 1 && quiet) loop.stop();
                   return false;
                 }};
  /// Runs until nothing happens, and gives what did.
  Log run() {
    loop.run();
    std::erase(log, "round");
    return log;
  }
};

}  // namespace

TEST_CASE("a round reads all there is, goes on with what was read, then writes it all") {
  Fixture fixture;
  Later first_request(fixture.log, "request 1");
  Later second_request(fixture.log, "request 2");
  Write first_answer(fixture.log, "answer 1", true);
  Write second_answer(fixture.log, "answer 2", true);
  Event first(fixture.loop, fixture.log, "client 1");
  Event second(fixture.loop, fixture.log, "client 2");
  first.then = [&] { fixture.loop.defer(first_request); };
  second.then = [&] { fixture.loop.defer(second_request); };
  first_request.then = [&] { fixture.loop.write_later(first_answer); };
  second_request.then = [&] { fixture.loop.write_later(second_answer); };
  first.happen();
  second.happen();
  CHECK(fixture.run() == Log{"client 1 reads", "client 2 reads", "request 1 runs", "request 2 runs",
                             "answer 1 writes", "answer 2 writes", "answer 1 has written",
                             "answer 2 has written"});
}

TEST_CASE("sockets are looked at between what asks for a write and the write") {
  Fixture fixture;
  Later request(fixture.log, "request");
  Write answer(fixture.log, "answer", false);
  Event peer(fixture.loop, fixture.log, "peer");
  request.then = [&] {
    fixture.loop.write_later(answer);
    peer.happen();
  };
  fixture.loop.defer(request);
  CHECK(fixture.run() == Log{"request runs", "peer reads", "answer writes"});
}

TEST_CASE(
    "what is deferred soon runs before the sockets are looked at, and behind what is deferred") {
  Fixture fixture;
  Later read(fixture.log, "read");
  Later other(fixture.log, "other read");
  Later request(fixture.log, "request");
  Later frames(fixture.log, "frames");
  Write answer(fixture.log, "answer", false);
  Event peer(fixture.loop, fixture.log, "peer");
  read.then = [&] {
    peer.happen();
    fixture.loop.defer_soon(request);
    fixture.loop.defer_soon(request);  // once is enough
  };
  request.then = [&] { fixture.loop.defer_soon(frames); };
  frames.then = [&] { fixture.loop.write_later(answer); };
  fixture.loop.defer(read);
  fixture.loop.defer(other);
  CHECK(fixture.run() == Log{"read runs", "other read runs", "request runs", "frames runs",
                             "peer reads", "answer writes"});
}

TEST_CASE("what defers itself soon again and again does not keep the sockets waiting") {
  Fixture fixture;
  Later again(fixture.log, "again");
  Event peer(fixture.loop, fixture.log, "peer");
  int times = 0;
  again.then = [&] {
    if (++times == 1) peer.happen();
    if (times < 20) fixture.loop.defer_soon(again);
  };
  fixture.loop.defer_soon(again);
  const Log log = fixture.run();
  CHECK(std::ranges::find(log, "peer reads") - log.begin() == 8);
  CHECK(std::ranges::count(log, "again runs") == 20);
}

TEST_CASE("a round hears of 64 events at most, and the next ones of the others") {
  Fixture fixture;
  constexpr std::size_t events = 100;
  std::deque<Event> clients;
  for (std::size_t i = 0; i < events; ++i) {
    clients.emplace_back(fixture.loop, fixture.log, "client").happen();
  }
  fixture.loop.run();
  const auto& log = fixture.log;
  CHECK(std::ranges::find(log, "round") - log.begin() == 64);
  CHECK(std::ranges::count(log, "client reads") == events);
}

TEST_CASE("has_written is called only on request") {
  Fixture fixture;
  Write asks(fixture.log, "one", true);
  Write does_not(fixture.log, "other", false);
  fixture.loop.write_later(does_not);
  fixture.loop.write_later(asks);
  fixture.loop.write_later(asks);  // once is enough
  CHECK(fixture.run() == Log{"other writes", "one writes", "one has written"});
}

TEST_CASE("work that a round creates is done in the next round, without waiting") {
  Log log;
  int rounds = 0;
  int ticks = 0;
  EventLoop loop([&ticks] { ++ticks; }, [&rounds](bool) { return ++rounds > 0; });
  Later again(log, "later");
  Write answer(log, "answer", false);
  int times = 0;
  again.then = [&] { loop.write_later(answer); };
  answer.then = [&] { ++times < 50 ? loop.defer(again) : loop.stop(); };
  loop.defer(again);
  loop.run();
  // Nothing but a tick would end a wait: a wait in each round would be a tick in each.
  CHECK(ticks < rounds / 2);
  CHECK(std::count(log.begin(), log.end(), "later runs") == 50);
  CHECK(std::count(log.begin(), log.end(), "answer writes") == 50);
  // Sockets are looked at in between.
  CHECK(rounds >= 50);
}

TEST_CASE("destroyed objects are forgotten at any point of a round") {
  Fixture fixture;
  // The kernel tells of them in the order in which they came.
  Event client(fixture.loop, fixture.log, "client");
  std::optional<Event> event(std::in_place, fixture.loop, fixture.log, "gone client");
  std::optional<Later> later(std::in_place, fixture.log, "gone request");
  std::optional<Write> unwritten(std::in_place, fixture.log, "gone answer", true);
  std::optional<Write> written(std::in_place, fixture.log, "answer", true);
  Later request(fixture.log, "request");
  Write last(fixture.log, "last", true);
  client.then = [&] { event.reset(); };
  request.then = [&] { later.reset(); };
  written->then = [&] { unwritten.reset(); };
  last.then = [&] { written.reset(); };
  client.happen();
  event->happen();
  fixture.loop.defer(request);
  fixture.loop.defer(*later);
  fixture.loop.write_later(*written);
  fixture.loop.write_later(*unwritten);
  fixture.loop.write_later(last);
  CHECK(fixture.run() ==
        Log{"client reads", "answer writes", "last writes", "last has written", "request runs"});
}

TEST_CASE("tasks posted by other threads run on the loop's thread, in order") {
  Log log;
  std::thread::id where;
  EventLoop loop([] {}, [](bool) { return true; });
  std::thread runs([&] {
    loop.run();
    log.push_back("ended");
  });
  std::thread posts([&] {
    for (int i = 0; i < 1'000; ++i) {
      loop.post([&log, &where, i] {
        where = std::this_thread::get_id();
        log.push_back(std::to_string(i));
      });
    }
    loop.stop();
  });
  const std::thread::id expected = runs.get_id();
  posts.join();
  runs.join();
  REQUIRE(log.size() == 1'001);
  for (int i = 0; i < 1'000; ++i) REQUIRE(log[static_cast<std::size_t>(i)] == std::to_string(i));
  CHECK(log.back() == "ended");
  CHECK(where == expected);
}

TEST_CASE("a loop with nothing to do waits for its tick") {
  int rounds = 0;
  int ticks = 0;
  std::optional<EventLoop> loop;
  loop.emplace(
      [&] {
        if (++ticks == 3) loop->stop();
      },
      [&](bool) { return ++rounds > 0; });
  loop->run();
  CHECK(rounds < 20);
}

TEST_CASE("while something is held back a loop does not wait") {
  int rounds = 0;
  int ticks = 0;
  std::optional<EventLoop> loop;
  // Ten seconds; with a wait each time they would end it.
  loop.emplace(
      [&] {
        if (++ticks == 100) loop->stop();
      },
      [&](bool) {
        if (++rounds == 500) loop->stop();
        return false;
      });
  loop->run();
  CHECK(rounds >= 500);
}

}  // namespace onceproxy::io
