#include "store/rocksdb/operation_queue.hpp"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

std::unique_ptr<Operation> operation(std::uint64_t fence) {
  auto out = std::make_unique<Operation>();
  out->fence = fence;
  return out;
}

auto in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

OperationList take(OperationQueue& queue, std::chrono::steady_clock::time_point until) {
  queue.wait(until);
  return queue.take();
}

}  // namespace

TEST_CASE("pushed operations are taken after a nudge, oldest first") {
  OperationQueue queue;
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(queue.push(operation(i)) == nullptr);
  queue.nudge();
  OperationList taken = take(queue, in(1h));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const auto one = taken.pop_front();
    REQUIRE(one != nullptr);
    CHECK(one->fence == i);
  }
  CHECK(taken.empty());
  CHECK(take(queue, in(0ms)).empty());
}

TEST_CASE("without a nudge the taker waits to its time, and takes what there is then") {
  OperationQueue queue;
  REQUIRE(queue.push(operation(1)) == nullptr);
  const auto until = in(20ms);
  CHECK_FALSE(take(queue, until).empty());
  CHECK(std::chrono::steady_clock::now() >= until);
}

TEST_CASE("a nudge is for one take") {
  OperationQueue queue;
  REQUIRE(queue.push(operation(1)) == nullptr);
  queue.nudge();
  CHECK_FALSE(take(queue, in(1h)).empty());
  queue.nudge();  // behind nothing: nobody is to come for it
  REQUIRE(queue.push(operation(2)) == nullptr);
  const auto until = in(20ms);
  CHECK_FALSE(take(queue, until).empty());
  CHECK(std::chrono::steady_clock::now() >= until);
}

TEST_CASE("a nudge behind a push and a wake each end the taker's wait") {
  OperationQueue queue;
  std::thread pusher([&] {
    CHECK(queue.push(operation(1)) == nullptr);
    queue.nudge();
  });
  const OperationList taken = take(queue, in(1h));
  pusher.join();
  REQUIRE_FALSE(taken.empty());
  std::thread waker([&] { queue.wake(); });
  CHECK(take(queue, in(1h)).empty());
  waker.join();
}

TEST_CASE("nothing is lost between many pushers and one taker") {
  OperationQueue queue;
  constexpr std::uint64_t pushers_count = 4;
  constexpr std::uint64_t each = 3'000;
  // Each pusher goes on once its operation was taken, so that no later nudge makes up for a lost
  // one: the taker then waits for the deadline.
  std::array<std::atomic<std::uint64_t>, pushers_count> served{};
  std::vector<std::thread> pushers;
  for (std::uint64_t i = 0; i < pushers_count; ++i) {
    pushers.emplace_back([&queue, &mine = served[i], i] {
      for (std::uint64_t n = 0; n < each; ++n) {
        static_cast<void>(queue.push(operation(n * pushers_count + i)));
        queue.nudge();
        mine.wait(n);
      }
    });
  }
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  const auto deadline = in(60s);
  while (count < pushers_count * each) {
    // Empty where a nudge comes behind what it stands for.
    OperationList taken = take(queue, deadline);
    while (const auto one = taken.pop_front()) {
      ++count;
      sum += one->fence;
      auto& pusher = served[one->fence % pushers_count];
      ++pusher;
      pusher.notify_one();
    }
  }
  for (std::thread& pusher : pushers) pusher.join();
  CHECK(std::chrono::steady_clock::now() < deadline);
  CHECK(sum == (pushers_count * each - 1) * pushers_count * each / 2);
}

TEST_CASE("a sealed queue gives operations back, and only an empty one can be sealed") {
  OperationQueue queue;
  REQUIRE(queue.push(operation(1)) == nullptr);
  CHECK_FALSE(queue.seal());
  CHECK_FALSE(take(queue, in(0ms)).empty());
  CHECK(queue.seal());
  const auto back = queue.push(operation(2));
  REQUIRE(back);
  CHECK(back->fence == 2);
}

TEST_CASE("the taker sees what it would take, newest first") {
  OperationQueue queue;
  CHECK(queue.peek() == nullptr);
  for (std::uint64_t i = 1; i <= 2; ++i) REQUIRE(queue.push(operation(i)) == nullptr);
  const Operation* const newest = queue.peek();
  REQUIRE(newest != nullptr);
  CHECK(newest->fence == 2);
  REQUIRE(newest->next != nullptr);
  CHECK(newest->next->fence == 1);
  CHECK(newest->next->next == nullptr);
  CHECK_FALSE(take(queue, in(0ms)).empty());
  CHECK(queue.seal());
  CHECK(queue.peek() == nullptr);
}

TEST_CASE("a nudge for what another has taken ends no later wait") {
  OperationQueue queue;
  REQUIRE(queue.push(operation(1)) == nullptr);
  queue.nudge();
  CHECK_FALSE(queue.take().empty());
  const auto until = in(20ms);
  CHECK(take(queue, until).empty());
  CHECK(std::chrono::steady_clock::now() >= until);
}
