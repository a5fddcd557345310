#include "proxy/io/deadline.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace onceproxy::io {
namespace {

using namespace std::chrono_literals;
using Clock = Deadline::Clock;

struct Noted final : Deadline {
  Noted(Deadlines& deadlines, std::vector<std::string>& log, std::string its_name)
      : Deadline(deadlines), fired(log), name(std::move(its_name)) {}
  void expired() override {
    fired.push_back(name);
    if (then) then();
  }
  std::vector<std::string>& fired;
  std::string name;
  std::function<void()> then;
};

struct Fixture {
  Deadlines deadlines;
  std::vector<std::string> fired;
  Clock::time_point now = Clock::now();

  Fixture() { deadlines.run(now); }
  /// Lets time pass in ticks; how many times something fired.
  std::size_t pass(std::chrono::milliseconds time) {
    const std::size_t before = fired.size();
    const Clock::time_point end = now + time;
    while (now < end) {
      now += Deadlines::tick;
      deadlines.run(now);
    }
    return fired.size() - before;
  }
};

TEST_CASE_METHOD(Fixture, "a deadline fires once, never early and at most two ticks late") {
  Noted deadline(deadlines, fired, "a");
  CHECK_FALSE(deadline.armed());
  CHECK(pass(10min) == 0);
  deadline.arm(1s);
  CHECK(deadline.armed());
  CHECK(pass(1s) == 0);
  CHECK(pass(2 * Deadlines::tick) == 1);
  CHECK_FALSE(deadline.armed());
  CHECK(pass(10min) == 0);
}

TEST_CASE_METHOD(Fixture, "a deadline armed anew fires by the new time alone") {
  Noted deadline(deadlines, fired, "a");
  deadline.arm(1s);
  CHECK(pass(900ms) == 0);
  deadline.arm(1s);
  CHECK(pass(1s) == 0);
  CHECK(pass(200ms) == 1);
  deadline.arm(10s);
  deadline.arm(100ms);
  CHECK(pass(300ms) == 1);
  CHECK(pass(20s) == 0);
}

TEST_CASE_METHOD(Fixture, "a deadline disarmed or destroyed does not fire") {
  Noted deadline(deadlines, fired, "a");
  deadline.arm(1s);
  deadline.disarm();
  {
    Noted gone(deadlines, fired, "gone");
    gone.arm(1s);
  }
  CHECK(pass(10s) == 0);
}

TEST_CASE_METHOD(Fixture, "a deadline may be armed again, and new ones made, while one fires") {
  Noted first(deadlines, fired, "first");
  std::unique_ptr<Noted> made;
  first.then = [&] {
    if (made) return;
    made = std::make_unique<Noted>(deadlines, fired, "made");
    made->arm(1s);
    first.arm(1s);
  };
  first.arm(1s);
  CHECK(pass(1200ms) == 1);
  CHECK(pass(1200ms) == 2);
  CHECK(fired == std::vector<std::string>{"first", "first", "made"});
}

TEST_CASE_METHOD(Fixture, "a deadline may disarm another that is due as well") {
  Noted first(deadlines, fired, "first");
  Noted second(deadlines, fired, "second");
  first.then = [&] { second.disarm(); };
  first.arm(1s);
  second.arm(1s);
  CHECK(pass(5s) == 1);
}

TEST_CASE_METHOD(Fixture, "expire_all fires every deadline once, armed or not") {
  Noted armed(deadlines, fired, "armed");
  Noted idle(deadlines, fired, "idle");
  armed.arm(1h);
  deadlines.expire_all();
  CHECK(fired == std::vector<std::string>{"armed", "idle"});
  CHECK(pass(2h) == 0);
}

}  // namespace
}  // namespace onceproxy::io
