#include "proxy/io/side_task.hpp"

#include <catch2/catch.hpp>
#include <coroutine>
#include <stdexcept>
#include <string>
#include <vector>

namespace onceproxy::io {
namespace {

using Log = std::vector<std::string>;

/// Something to wait for.
struct Event {
  std::coroutine_handle<> waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
  void happen() { std::exchange(waiter, nullptr).resume(); }
};

Task<void> work(Event& event, Log& log, bool fails) {
  log.emplace_back("begins");
  co_await event;
  log.emplace_back("goes on");
  if (fails) throw std::runtime_error("no");
}

Task<void> own(SideTask& side, Log& log) {
  try {
    co_await side.ended();
    log.emplace_back("owner ends");
  } catch (const std::runtime_error& error) {
    log.emplace_back(error.what());
  }
}

}  // namespace

TEST_CASE("a side task runs at once, and its owner goes on when it has ended") {
  SideTask side;
  Event event;
  Log log;
  side.begin(work(event, log, false));
  CHECK(side.running());
  start(own(side, log));
  CHECK(log == Log{"begins"});
  event.happen();
  CHECK_FALSE(side.running());
  CHECK(log == Log{"begins", "goes on", "owner ends"});
}

TEST_CASE("an owner need not wait for what has ended") {
  SideTask side;
  Event event;
  Log log;
  side.begin(work(event, log, false));
  event.happen();
  start(own(side, log));
  CHECK(log == Log{"begins", "goes on", "owner ends"});
}

TEST_CASE("an exception of a side task is thrown once, where the task is awaited") {
  SideTask side;
  Event event;
  Log log;
  side.begin(work(event, log, true));
  SECTION("while it runs") {
    start(own(side, log));
    event.happen();
  }
  SECTION("when it has ended") {
    event.happen();
    start(own(side, log));
  }
  CHECK(log == Log{"begins", "goes on", "no"});
  start(own(side, log));
  CHECK(log.back() == "owner ends");
}

TEST_CASE("a side task may follow another") {
  SideTask side;
  Event event;
  Log log;
  for (int i = 0; i < 2; ++i) {
    side.begin(work(event, log, false));
    event.happen();
  }
  CHECK(log == Log{"begins", "goes on", "begins", "goes on"});
}

}  // namespace onceproxy::io
