#include "proxy/io/call_loop.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <thread>

namespace onceproxy::io {
namespace {

struct Answer : store::CallBase {
  explicit Answer(std::function<void()> what) : then(std::move(what)) {
    resume = [](store::CallBase& base) { static_cast<Answer&>(base).then(); };
  }
  std::function<void()> then;
};

/// A loop whose calls are delivered to it, and the number of rounds so far.
struct Calling {
  Calling()
      : loop([this] { ++ticks; },
             [this](bool quiet) {
               const bool may_rest = calls->end_round(quiet);
               ++rounds;
               // The thread is known after the first round.
               if (rounds == 1 && first) loop.post(first);
               return may_rest;
             }) {
    calls.emplace(loop, [](store::Loop&) {});
  }
  int rounds = 0;
  int ticks = 0;
  /// Runs in the second round.
  std::function<void()> first;
  EventLoop loop;
  std::optional<CallLoop> calls;
};

}  // namespace

TEST_CASE("what is answered on the loop's own thread goes on in the same round") {
  Calling calling;
  int answered_in = -1;
  int resumed_in = -2;
  Answer answer([&] {
    resumed_in = calling.rounds;
    calling.loop.stop();
  });
  calling.first = [&] {
    answered_in = calling.rounds;
    calling.calls->deliver(&answer);
  };
  calling.loop.run();
  CHECK(answered_in == resumed_in);
}

TEST_CASE("what is answered while answers go on is not left until the next event") {
  Calling calling;
  int left = 100;
  std::optional<Answer> answer;
  answer.emplace([&] {
    if (--left == 0) {
      calling.loop.stop();
      return;
    }
    answer->next = nullptr;
    calling.calls->deliver(&*answer);
  });
  calling.first = [&] { calling.calls->deliver(&*answer); };
  calling.loop.run();
  CHECK(left == 0);
  CHECK(calling.ticks < 50);
}

TEST_CASE("what another thread answers wakes the loop") {
  Calling calling;
  Answer answer([&] { calling.loop.stop(); });
  std::thread other([&] { calling.calls->deliver(&answer); });
  calling.loop.run();
  other.join();
  CHECK(calling.ticks < 50);
}

}  // namespace onceproxy::io
