#include "proxy/http/buffer_budget.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "proxy/io/event_loop.hpp"

namespace onceproxy::http {
namespace {

using namespace std::chrono_literals;
using Share = BufferBudget::Share;

struct Holder final : BufferBudget::Holder {
  void shares_shed() override { ++told; }
  int told = 0;
};

struct Fixture {
  io::EventLoop loop{[] {}, [](bool) { return true; }};
  io::Stream stream{loop, 1s};
  telemetry::Metrics metrics{"test"};
  telemetry::WorkerMetrics& worker = metrics.add_worker();
  Holder holder;
  BufferBudget budget{telemetry::Buffered::bodies};
  BufferBudget::Time now = BufferBudget::Time() + 1000h;

  explicit Fixture(std::size_t bytes_max = 100) { budget.set_limit(bytes_max); }
  std::unique_ptr<Share> share(BufferBudget::Holder* of = nullptr) {
    const BufferBudget::Account account(budget, of != nullptr ? *of : holder, worker, loop);
    return std::make_unique<Share>(account, stream);
  }
};

TEST_CASE("Shares may grow up to the bound together") {
  Fixture f;
  const auto a = f.share();
  const auto b = f.share();
  CHECK(a->grow(60, 60, f.now));
  CHECK(b->grow(40, 40, f.now));
  CHECK(f.budget.bytes() == 100);
  CHECK_FALSE(a->shed());
  CHECK(f.holder.told == 0);
}

TEST_CASE("Over the bound the slowest is shed, once, and its holder is told") {
  Fixture f;
  Holder other;
  const auto slow = f.share(&other);
  const auto fast = f.share();
  slow->grow(60, 60, f.now);
  f.now += 1s;
  CHECK(fast->grow(60, 60, f.now));
  CHECK(slow->shed());
  CHECK(other.told == 1);
  CHECK(f.holder.told == 0);
  CHECK(f.budget.bytes() == 60);
  CHECK_FALSE(slow->grow(1, 61, f.now));
  CHECK(f.budget.bytes() == 60);
  CHECK(fast->grow(40, 100, f.now));
  CHECK(other.told == 1);
}

TEST_CASE("The one that grows is shed where it is the slowest") {
  Fixture f;
  const auto stalled = f.share();
  const auto steady = f.share();
  stalled->grow(50, 50, f.now);
  steady->grow(50, 50, f.now + 10s);
  CHECK_FALSE(stalled->grow(1, 51, f.now + 10s));
  CHECK_FALSE(steady->shed());
}

TEST_CASE("A body that came quickly and stalls is slower than one that goes on arriving") {
  Fixture f(2'000'000);
  const auto burst = f.share();
  const auto steady = f.share();
  burst->grow(1'000'000, 1'000'000, f.now);
  std::size_t held = 0;
  for (int i = 0; i < 50; ++i, f.now += 100ms) steady->grow(10'000, held += 10'000, f.now);
  const auto late = f.share();
  CHECK(late->grow(600'000, 600'000, f.now));
  CHECK(burst->shed());
  CHECK_FALSE(steady->shed());
}

TEST_CASE("A body that has just begun is not the slowest for being small") {
  Fixture f(2'000);
  const auto stalled = f.share();
  stalled->grow(1'500, 1'500, f.now);
  const auto begun = f.share();
  begun->grow(4, 4, f.now + 1s);
  const auto other = f.share();
  CHECK(other->grow(1'000, 1'000, f.now + 1s));
  CHECK(stalled->shed());
  CHECK_FALSE(begun->shed());
}

TEST_CASE("As many are shed as it takes") {
  Fixture f;
  std::vector<std::unique_ptr<Share>> shares;
  for (int i = 0; i < 10; ++i, f.now += 1ms) {
    shares.push_back(f.share());
    shares.back()->grow(10, 10, f.now);
  }
  const auto large = f.share();
  CHECK(large->grow(45, 45, f.now));
  for (int i = 0; i < 10; ++i) CHECK(shares[static_cast<std::size_t>(i)]->shed() == (i < 5));
  CHECK(f.budget.bytes() == 95);
}

TEST_CASE("A share that ends gives back what it held, shed or not") {
  Fixture f;
  auto a = f.share();
  auto b = f.share();
  a->grow(60, 60, f.now);
  b->grow(60, 60, f.now + 1s);
  REQUIRE(a->shed());
  a.reset();
  CHECK(f.budget.bytes() == 60);
  b.reset();
  CHECK(f.budget.bytes() == 0);
  CHECK(f.metrics.exposition().find("onceproxy_buffered_bytes{of=\"bodies\"} 0\n") !=
        std::string::npos);
}

TEST_CASE("A share may shrink") {
  Fixture f;
  const auto a = f.share();
  a->grow(60, 60, f.now);
  CHECK(a->grow(0, 20, f.now));
  CHECK(f.budget.bytes() == 20);
}

TEST_CASE("A body above the bound alone is shed") {
  Fixture f;
  const auto a = f.share();
  CHECK_FALSE(a->grow(101, 101, f.now));
  CHECK(f.budget.bytes() == 0);
}

}  // namespace
}  // namespace onceproxy::http
