// What is written on the thread that submits.
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "faulty_file_system.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// A loop that submits, and notes on which thread it was answered.
class SubmittingLoop final : public Loop {
 public:
  void deliver(CallBase* first) noexcept override {
    signal.change([&] { threads.push_back(std::this_thread::get_id()); });
    while (first != nullptr) {
      CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
  bool submits() override { return true; }

  Signal signal;
  std::vector<std::thread::id> threads;
};

struct Submitting {
  FaultyEnvironment environment;
  Fixture fixture;
  SubmittingLoop loop;
  std::vector<std::unique_ptr<Waiting<ReserveResult>>> calls;

  explicit Submitting(Sync sync) {
    fixture.options.sync = sync;
    // Nothing is done by itself within the test.
    fixture.tuning.tick = 1h;
    fixture.tuning.over = environment.over;
    fixture.open();
  }
  void reserve(std::uint64_t number) {
    calls.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
    CHECK_FALSE(fixture.store->reserve(request(number), *calls.back()));
  }
  /// The first reservation of all needs a new ceiling of fences, which is synced.
  void reserve_first() {
    reserve(1'000'000);
    fixture.store->submit(fixture.loop);
    CHECK(is<Reserved>(calls.back()->wait()));
    // The store's thread answers before it is done, and until then writes what is submitted.
    for (std::uint64_t number = 1'000'001; waits_for_the_thread(); ++number) {
      reserve(number);
      fixture.store->submit(fixture.loop);
      CHECK(is<Reserved>(calls.back()->wait()));
    }
    calls.clear();
    loop.threads.clear();
  }
  bool waits_for_the_thread() const {
    return fixture.options.sync == Sync::none && loop.threads.back() != std::this_thread::get_id();
  }
};

}  // namespace

TEST_CASE("without syncs a small group is written before submit() returns") {
  Submitting submitting(Sync::none);
  submitting.reserve_first();
  for (std::uint64_t i = 0; i < 3; ++i) submitting.reserve(i);
  submitting.fixture.store->submit(submitting.fixture.loop);
  for (const auto& call : submitting.calls) REQUIRE(call->answered());
  CHECK(submitting.loop.threads == std::vector{std::this_thread::get_id()});

  auto& reserved = std::get<Reserved>(submitting.calls[0]->wait());
  Waiting<Settled> call(submitting.loop);
  REQUIRE_FALSE(
      submitting.fixture.store->complete(std::move(reserved.permit), answer(200, "a"), call));
  submitting.fixture.store->submit(submitting.fixture.loop);
  REQUIRE(call.answered());
  CHECK(is<Completed>(submitting.fixture.reserve(request(0))));
  // And it is where a restart finds it. No permit outlives its store.
  submitting.calls.clear();
  submitting.fixture.open();
  CHECK(is<Completed>(submitting.fixture.reserve(request(0))));
}

TEST_CASE("long writes are made by the store's thread") {
  const Sync sync = GENERATE(Sync::all, Sync::reservations, Sync::none);
  Submitting submitting(sync);
  if (sync == Sync::none) {
    SECTION("a synced ceiling of fences") {
      submitting.reserve(0);
    }
    SECTION("a large group") {
      submitting.reserve_first();
      for (std::uint64_t i = 0; i < 20; ++i) submitting.reserve(i);
    }
  } else {
    submitting.reserve_first();
    submitting.reserve(0);
  }
  submitting.fixture.store->submit(submitting.fixture.loop);
  for (const auto& call : submitting.calls) CHECK(is<Reserved>(call->wait()));
  for (const auto thread : submitting.loop.threads) CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("a write on the submitting thread that fails makes the store fail, and come back") {
  Submitting submitting(Sync::none);
  submitting.fixture.tuning.tick = 5ms;
  submitting.fixture.open();
  submitting.reserve_first();
  submitting.environment.files->fault = FaultyFileSystem::Fault::log_append;
  submitting.reserve(1);
  submitting.fixture.store->submit(submitting.fixture.loop);
  CHECK(is_unavailable(submitting.calls.back()->wait(), Unavailable::Reason::failed));
  CHECK(submitting.fixture.seen.failed("write: IO error"));
  submitting.environment.files->fault = FaultyFileSystem::Fault::none;
  REQUIRE(submitting.fixture.seen.wait_for_event("reopened"));
  CHECK(is<Reserved>(submitting.fixture.reserve(request(1))));
}

TEST_CASE("many threads that submit and the store's thread lose nothing between them") {
  Submitting submitting(Sync::none);
  constexpr std::uint64_t each = 500;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> reserved = 0;
  for (std::uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      SubmittingLoop loop;
      for (std::uint64_t n = 0; n < each; ++n) {
        Waiting<ReserveResult> call(loop);
        if (!submitting.fixture.store->reserve(request(i * each + n), call)) {
          submitting.fixture.store->submit(submitting.fixture.loop);
        }
        if (is<Reserved>(call.wait())) ++reserved;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(reserved == 4 * each);
}
