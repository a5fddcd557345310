#include "proxy/gate/lease_estimate.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using policies::AdaptiveLease;

/// Buckets grow by a twelfth: so much above what was observed the estimate may be.
bool about(std::chrono::milliseconds found, std::chrono::milliseconds wanted) {
  return found >= wanted && found <= wanted * 110 / 100 + 3ms;
}

const AdaptiveLease rule{5s, 5min, 0ms};

TEST_CASE("a lease is three times the 99th percentile of what was observed") {
  LeaseEstimate estimate;
  for (int i = 0; i < 990; ++i) estimate.observe(100ms);
  for (int i = 0; i < 10; ++i) estimate.observe(20s);
  CHECK(about(estimate.percentile99(), 100ms));
  for (int i = 0; i < 24; ++i) estimate.observe(20s);
  CHECK(about(estimate.percentile99(), 20s));
  CHECK(about(estimate.lease(rule), 60s));
}

TEST_CASE("a lease stays within its bounds, and never below the time after which one gives up") {
  LeaseEstimate quick;
  for (int i = 0; i < 100; ++i) quick.observe(1ms);
  CHECK(quick.lease(rule) == 5s);
  CHECK(quick.lease({5s, 5min, 30s}) == 30s);
  LeaseEstimate slow;
  for (int i = 0; i < 100; ++i) slow.observe(10min);
  CHECK(slow.lease(rule) == 5min);
  // Also where the longest lease is shorter than that.
  CHECK(slow.lease({5s, 10s, 30s}) == 30s);
}

TEST_CASE("a lease is the longest allowed until enough was observed") {
  LeaseEstimate estimate;
  CHECK(estimate.lease(rule) == 5min);
  CHECK(estimate.percentile99() == 0ms);
  for (std::uint32_t i = 1; i < LeaseEstimate::observed_min; ++i) estimate.observe(1ms);
  CHECK(estimate.lease(rule) == 5min);
  estimate.observe(1ms);
  CHECK(estimate.lease(rule) == 5s);
}

TEST_CASE("old observations are forgotten") {
  LeaseEstimate estimate;
  for (int i = 0; i < 4'000; ++i) estimate.observe(60s);
  CHECK(about(estimate.percentile99(), 60s));
  for (int i = 0; i < 40'000; ++i) estimate.observe(50ms);
  CHECK(about(estimate.percentile99(), 50ms));
  CHECK(estimate.observed() < 4'096);
}

TEST_CASE("every duration is counted") {
  LeaseEstimate estimate;
  for (const auto time : {std::chrono::nanoseconds(0), std::chrono::nanoseconds(-1),
                          std::chrono::nanoseconds(24h * 400)}) {
    estimate.observe(time);
  }
  CHECK(estimate.observed() == 3);
}

TEST_CASE("an estimate goes on from its bytes") {
  LeaseEstimate estimate;
  for (int i = 0; i < 100; ++i) estimate.observe(100ms * i);
  const std::string bytes = estimate.bytes();
  LeaseEstimate again;
  REQUIRE(again.restore(bytes));
  CHECK(again.observed() == 100);
  CHECK(again.percentile99() == estimate.percentile99());
  CHECK(again.lease(rule) == estimate.lease(rule));
  CHECK(again.bytes() == bytes);
  LeaseEstimate empty;
  REQUIRE(empty.restore(LeaseEstimate().bytes()));
  CHECK(empty.observed() == 0);
}

TEST_CASE("bytes that are not an estimate change nothing") {
  LeaseEstimate estimate;
  estimate.observe(1s);
  const std::string good = estimate.bytes();
  std::string many(1, '\x01');
  many += std::string("\x05\xff\xff\xff\xff", 5);
  for (const std::string& bad :
       {std::string(), std::string("\x02"), good + "x", good + good.substr(1),
        std::string("\x01\x05\0\0\0\0", 6), std::string("\x01\xff\x01\0\0\0", 6), many}) {
    CHECK_FALSE(estimate.restore(bad));
  }
  CHECK(estimate.bytes() == good);
}

TEST_CASE("several threads observe at once") {
  LeaseEstimate estimate;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n) estimate.observe(10ms);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(about(estimate.percentile99(), 10ms));
}

}  // namespace
}  // namespace onceproxy::gate
