#include "proxy/io/waker.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

namespace onceproxy::io {

TEST_CASE("a loop that waits is woken from another thread, as often as it is told to") {
  EventLoop loop([] {}, [](bool) { return true; });
  constexpr int times = 1000;
  std::atomic<int> heard = 0;
  Waker waker(loop, [&] {
    ++heard;
    heard.notify_one();
    if (heard == times) loop.stop();
  });
  std::thread other([&] {
    // One after the other: one that got lost is not made up for.
    for (int i = 0; i < times; ++i) {
      waker.wake();
      heard.wait(i);
    }
  });
  loop.run();
  other.join();
  CHECK(heard == times);
}

TEST_CASE("wakes that nobody hears take no room, and the next loop round hears them once") {
  EventLoop loop([] {}, [](bool) { return true; });
  int woken = 0;
  Waker waker(loop, [&] {
    ++woken;
    loop.stop();
  });
  for (int i = 0; i < 100'000; ++i) waker.wake();
  loop.run();
  CHECK(woken == 1);
}

}  // namespace onceproxy::io
