#include "proxy/io/task.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace onceproxy::io {
namespace {

using Log = std::vector<std::string>;

/// Something a task waits for until the test says so.
struct Event {
  std::coroutine_handle<> waiter;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
  void happen() { std::exchange(waiter, nullptr).resume(); }
};

Task<int> inner(Log& log, Event& event) {
  log.push_back("inner begins");
  co_await event;
  log.push_back("inner ends");
  co_return 7;
}

Task<std::string> middle(Log& log, Event& event) {
  log.push_back("middle begins");
  const int value = co_await inner(log, event);
  log.push_back("middle ends");
  co_return std::to_string(value);
}

Task<void> outer(Log& log, Event& event) {
  log.push_back("outer begins");
  const std::string value = co_await middle(log, event);
  log.push_back("outer ends with " + value);
}

TEST_CASE("a task begins when it is awaited and goes on where it waited") {
  Log log;
  Event event;
  Task<void> task = outer(log, event);
  CHECK(log.empty());
  start(std::move(task));
  CHECK(log == Log{"outer begins", "middle begins", "inner begins"});
  log.clear();
  event.happen();
  CHECK(log == Log{"inner ends", "middle ends", "outer ends with 7"});
}

TEST_CASE("a task that is never awaited never begins, and is freed") {
  Log log;
  Event event;
  { const Task<int> dropped = inner(log, event); }
  CHECK(log.empty());
}

Task<std::unique_ptr<int>> made() {
  co_return std::make_unique<int>(5);
}

Task<void> keep(std::unique_ptr<int>& out) {
  out = co_await made();
}

TEST_CASE("a task hands on what can only be moved") {
  std::unique_ptr<int> out;
  start(keep(out));
  REQUIRE(out);
  CHECK(*out == 5);
}

Task<int> failing(Event& event) {
  co_await event;
  throw std::runtime_error("broken");
}

Task<void> failing_void() {
  throw std::runtime_error("broken at once");
  co_return;
}

Task<void> catching(Event& event, Log& log) {
  try {
    co_await failing_void();
  } catch (const std::runtime_error& error) {
    log.push_back(error.what());
  }
  try {
    const int never = co_await failing(event);
    log.push_back(std::to_string(never));
  } catch (const std::runtime_error& error) {
    log.push_back(error.what());
  }
}

TEST_CASE("an exception reaches whoever awaits, at once or later") {
  Event event;
  Log log;
  start(catching(event, log));
  CHECK(log == Log{"broken at once"});
  event.happen();
  CHECK(log == Log{"broken at once", "broken"});
}

/// Tells when it goes.
struct Guard {
  Log& log;
  std::string name;
  ~Guard() { log.push_back(name); }
};

Task<int> guarded(Log& log, Event& event) {
  const Guard guard{log, "inner"};
  co_await event;
  co_return 1;
}

Task<void> guarding(Log& log, Event& event) {
  const Guard guard{log, "outer"};
  const int value = co_await guarded(log, event);
  log.push_back("value " + std::to_string(value));
}

TEST_CASE("a task's locals are destroyed when it ends, the innermost first") {
  Log log;
  Event event;
  start(guarding(log, event));
  CHECK(log.empty());
  event.happen();
  CHECK(log == Log{"inner", "value 1", "outer"});
}

TEST_CASE("the locals of a suspended task are destroyed with it") {
  Log log;
  Event event;
  {
    Task<int> task = guarded(log, event);
    (void)task.await_suspend(std::noop_coroutine());
    std::coroutine_handle<> begun = task.await_suspend(std::noop_coroutine());
    begun.resume();
    CHECK(log.empty());
  }
  CHECK(log == Log{"inner"});
}

Task<int> nothing(int value) {
  co_return value;
}

Task<void> many(int& sum, int count) {
  for (int i = 0; i < count; ++i) sum += co_await nothing(1);
}

TEST_CASE("thousands of tasks that end at once may follow each other") {
  // An optimised build needs no stack for them. GCC makes no tail calls with -Og or a sanitizer,
  // and there they have to fit into it.
  int sum = 0;
  start(many(sum, 5'000));
  CHECK(sum == 5'000);
}

TEST_CASE("started tasks go on side by side") {
  Log log;
  Event first, second;
  start(outer(log, first));
  start(outer(log, second));
  log.clear();
  second.happen();
  first.happen();
  CHECK(log == Log{"inner ends", "middle ends", "outer ends with 7", "inner ends", "middle ends",
                   "outer ends with 7"});
}

}  // namespace
}  // namespace onceproxy::io
