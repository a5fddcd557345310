#include "proxy/ext_proc/arriving_messages.hpp"

#include <catch2/catch.hpp>

#include "call_fixture.hpp"

namespace onceproxy::ext_proc {
namespace {

struct Holder final : http::BufferBudget::Holder {
  void shares_shed() override { ++told; }
  int told = 0;
};

TEST_CASE_METHOD(testing::Fixture, "messages with answers count, but only others are given up") {
  io::EventLoop loop{[] {}, [](bool) { return true; }};
  Holder holder;
  http::BufferBudget budget(telemetry::Buffered::bodies);
  budget.set_limit(100);
  const http::BufferBudget::Account account(budget, holder, worker, loop);
  const std::shared_ptr<const http::Setup> setup;
  ArrivingMessages messages(account, setup);

  const auto answer = messages.begin(nullptr);
  CHECK(answer->grow(60, 60));
  int given_up = 0;
  const auto request = messages.begin([&] { ++given_up; });
  CHECK(request->grow(40, 40));
  CHECK(budget.bytes() == 100);

  SECTION("the request grows") {
    CHECK_FALSE(request->grow(1, 41));
  }
  SECTION("the answer grows") {
    CHECK(answer->grow(90, 150));
    CHECK(holder.told == 1);
    budget.cancel_shed(holder);
    CHECK(given_up == 1);
    CHECK(budget.bytes() == 150);
  }
  CHECK(answer->grow(0, 10));
  CHECK(budget.bytes() == 10);
  CHECK(value("onceproxy_buffers_shed_total{of=\"bodies\"}") == 1);
}

}  // namespace
}  // namespace onceproxy::ext_proc
