#include "proxy/io/slots.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace onceproxy::io {
namespace {

/// Resumes on the thread that delivers.
class DirectLoop final : public store::Loop {
 public:
  void deliver(store::CallBase* first) noexcept override {
    while (first != nullptr) {
      store::CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
};

struct Waiter : Slots::Waiter {
  explicit Waiter(store::Loop& home) {
    loop = &home;
    resume = [](store::CallBase& call) { static_cast<Waiter&>(call).resumed.fetch_add(1); };
  }
  std::atomic<int> resumed = 0;
};

TEST_CASE("there are so many slots and no more") {
  Slots slots(2);
  CHECK(slots.try_take());
  CHECK(slots.try_take());
  CHECK_FALSE(slots.try_take());
  slots.release();
  CHECK(slots.try_take());
  CHECK_FALSE(slots.try_take());
}

TEST_CASE("a limit of zero is none") {
  Slots slots(0);
  for (int i = 0; i < 10'000; ++i) REQUIRE(slots.try_take());
  CHECK(slots.limit() == 0);
  DirectLoop loop;
  Waiter waiter(loop);
  CHECK(slots.wait(waiter));
  CHECK_FALSE(slots.anybody_waits());
}

TEST_CASE("slots are handed on in order of arrival") {
  DirectLoop loop;
  Slots slots(1);
  REQUIRE(slots.try_take());
  Waiter first(loop), second(loop);
  CHECK_FALSE(slots.wait(first));
  CHECK_FALSE(slots.wait(second));
  CHECK(slots.anybody_waits());
  slots.release();
  CHECK(first.resumed == 1);
  CHECK(second.resumed == 0);
  CHECK_FALSE(slots.try_take());
  slots.release();
  CHECK(second.resumed == 1);
  CHECK_FALSE(slots.anybody_waits());
  slots.release();
  CHECK(slots.try_take());
  CHECK(first.resumed == 1);
}

TEST_CASE("wait() takes a slot if one has become free") {
  DirectLoop loop;
  int asked = 0;
  Slots slots(1, [&] { ++asked; });
  Waiter waiter(loop);
  CHECK(slots.wait(waiter));
  CHECK(asked == 0);
  CHECK_FALSE(slots.anybody_waits());
  CHECK_FALSE(slots.try_take());
  CHECK(waiter.resumed == 0);
}

TEST_CASE("a waiter that gives up in time is not resumed and takes no slot") {
  DirectLoop loop;
  Slots slots(1);
  REQUIRE(slots.try_take());
  Waiter first(loop), second(loop), third(loop);
  slots.wait(first);
  slots.wait(second);
  slots.wait(third);
  CHECK(slots.give_up(second));
  CHECK_FALSE(slots.give_up(second));
  slots.release();
  slots.release();
  CHECK(first.resumed == 1);
  CHECK(second.resumed == 0);
  CHECK(third.resumed == 1);
  // Too late: the slot is its own, and it has to give it back.
  CHECK_FALSE(slots.give_up(third));
  CHECK_FALSE(slots.try_take());
  slots.release();
  CHECK(slots.try_take());
}

TEST_CASE("idle holders are told that somebody waits, and may let go at once") {
  DirectLoop loop;
  Slots* known = nullptr;
  int asked = 0;
  Slots slots(1, [&] {
    ++asked;
    known->release();
  });
  known = &slots;
  REQUIRE(slots.try_take());
  Waiter waiter(loop);
  CHECK_FALSE(slots.wait(waiter));
  CHECK(asked == 1);
  CHECK(waiter.resumed == 1);
}

TEST_CASE("a limit that grows resumes as many of those who wait as it has room for") {
  DirectLoop loop;
  Slots slots(1);
  REQUIRE(slots.try_take());
  Waiter first(loop), second(loop), third(loop);
  slots.wait(first);
  slots.wait(second);
  slots.wait(third);
  slots.set_limit(3);
  CHECK(first.resumed == 1);
  CHECK(second.resumed == 1);
  CHECK(third.resumed == 0);
  slots.set_limit(0);
  CHECK(third.resumed == 1);
  CHECK_FALSE(slots.anybody_waits());
}

TEST_CASE("a limit that shrinks takes no slot away, and holds as they come back") {
  DirectLoop loop;
  Slots slots(3);
  for (int i = 0; i < 3; ++i) REQUIRE(slots.try_take());
  slots.set_limit(1);
  Waiter waiter(loop);
  CHECK_FALSE(slots.wait(waiter));
  slots.release();
  slots.release();
  CHECK(waiter.resumed == 0);
  slots.release();
  CHECK(waiter.resumed == 1);
}

TEST_CASE("slots taken without a limit count when a limit is set") {
  Slots slots(0);
  REQUIRE(slots.try_take());
  slots.set_limit(1);
  CHECK_FALSE(slots.try_take());
  slots.release();
  CHECK(slots.try_take());
}

TEST_CASE("many threads share the slots without losing one or a waiter") {
  constexpr std::size_t limit = 3;
  constexpr int rounds = 2'000;
  DirectLoop loop;
  Slots slots(limit);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<bool> stuck = false;
  const auto work = [&] {
    for (int i = 0; i < rounds && !stuck; ++i) {
      Waiter waiter(loop);
      bool taken = slots.try_take() || slots.wait(waiter);
      if (!taken && i % 7 == 0 && slots.give_up(waiter)) continue;
      const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (!taken && waiter.resumed == 0) {
        std::this_thread::yield();
        if (std::chrono::steady_clock::now() > bound) {
          stuck = true;
          return;
        }
      }
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      --inside;
      slots.release();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  REQUIRE_FALSE(stuck);
  CHECK(most <= static_cast<int>(limit));
  CHECK_FALSE(slots.anybody_waits());
  for (std::size_t i = 0; i < limit; ++i) CHECK(slots.try_take());
  CHECK_FALSE(slots.try_take());
}

}  // namespace
}  // namespace onceproxy::io
