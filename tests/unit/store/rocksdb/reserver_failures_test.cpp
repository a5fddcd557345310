// What becomes of reserves that wait when the store closes or the database fails, and with many
// threads at once.
#include <catch2/catch.hpp>
#include <thread>

#include "faulty_file_system.hpp"
#include "store/rocksdb/reserver.hpp"
#include "waiting_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("close answers everything that waits") {
  WaitingFixture fixture;
  fixture.open();
  Permit one = fixture.permit(waiting(1));
  Permit two = fixture.permit(in_turn(2));
  const ReserveRequest again = waiting(1);
  const ReserveRequest queued = in_turn(3);
  const ReserveRequest behind = waiting(3);
  Calls calls;
  calls.push_back(fixture.start(again));
  calls.push_back(fixture.start(queued));
  calls.push_back(fixture.start(behind));
  REQUIRE(fixture.release(std::move(one)) == Settled::done);  // one has a claim, not delivered yet
  fixture.store->close();
  for (auto& call : calls) {
    CHECK(is_unavailable(fixture.answer_of(*call), Unavailable::Reason::closing));
  }
  CHECK(fixture.hands.timers() == 0);
  const auto late = fixture.start(again);
  REQUIRE(late->answered());
  CHECK(is_unavailable(*late->result, Unavailable::Reason::closing));
  two.use();
}

TEST_CASE("while the database fails those that are handed a claim are told so, one after another") {
  FaultyEnvironment environment;
  WaitingFixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  Permit turn = fixture.permit(in_turn(2));
  const ReserveRequest again = waiting(1);
  const ReserveRequest queued = in_turn(3);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(again));
  const auto next = fixture.start(queued);
  environment.files->fault = FaultyFileSystem::Fault::log_append;
  CHECK(is_unavailable(fixture.reserve(request(9)), Unavailable::Reason::failed));
  environment.files->fault = FaultyFileSystem::Fault::create;
  CHECK(fixture.complete(std::move(turn), answer(200, "")) == Settled::failed);
  CHECK_FALSE(next->answered());  // the turn is kept until the completion is written
  { const Permit dropped = std::move(permit); }
  for (auto& call : calls) {
    CHECK(is_unavailable(fixture.answer_of(*call), Unavailable::Reason::failed));
  }
  CHECK(fixture.hands.delivered() == 0);
  environment.files->fault = FaultyFileSystem::Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  CHECK(is<Reserved>(fixture.answer_of(*next)));
  CHECK(is<Completed>(fixture.reserve(request(2))));
}

TEST_CASE("while the database fails a duplicate of what is under way is still told so") {
  FaultyEnvironment environment;
  WaitingFixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  Permit held = fixture.permit(request(1));
  Permit done = fixture.permit(request(2));
  Permit released = fixture.permit(request(3));
  environment.files->fault = FaultyFileSystem::Fault::log_append;
  CHECK(is_unavailable(fixture.reserve(request(9)), Unavailable::Reason::failed));
  environment.files->fault = FaultyFileSystem::Fault::create;
  CHECK(fixture.complete(std::move(done), answer(200, "done")) == Settled::failed);
  CHECK(fixture.release(std::move(released)) == Settled::failed);

  CHECK(is<InFlight>(fixture.reserve(request(1))));
  CHECK(is<InFlight>(fixture.reserve(request(2))));
  // What is not under way must not pass for it.
  CHECK(is_unavailable(fixture.reserve(request(3)), Unavailable::Reason::failed));
  CHECK(is_unavailable(fixture.reserve(request(9)), Unavailable::Reason::failed));
  const ReserveRequest again = waiting(2);
  const auto waits = fixture.start(again);
  CHECK_FALSE(waits->answered());

  environment.files->fault = FaultyFileSystem::Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  CHECK(std::get<Completed>(fixture.answer_of(*waits)).answer.body == "done");
  CHECK(fixture.complete(std::move(held), answer(200, "")) == Settled::done);
}

TEST_CASE("threads that wait for one fingerprint: one at a time, and nobody is forgotten") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.open();
  int reserved = 0;  // guarded by nothing but the reservation
  std::atomic<int> inside{0};
  std::atomic<bool> alone{true};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      HandLoop loop;
      const ReserveRequest same = waiting(1, 60s);
      for (int round = 0; round < 20; ++round) {
        Calls calls;
        for (int i = 0; i < 10; ++i) {
          calls.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
          if (fixture.store->reserve(same, *calls.back())) calls.back()->at_once();
        }
        std::size_t settled = 0;
        const bool all = loop.run_until([&] {
          for (auto& call : calls) {
            if (!call || !call->answered()) continue;
            if (auto* const mine = std::get_if<Reserved>(&*call->result)) {
              if (inside.fetch_add(1) != 0) alone = false;
              ++reserved;
              std::this_thread::yield();
              inside.fetch_sub(1);
              static_cast<void>(fixture.release(std::move(mine->permit)));
            }
            ++settled;
            call.reset();
          }
          return settled == calls.size();
        });
        if (!all) alone = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(alone);
  CHECK(reserved == 4 * 20 * 10);
  CHECK(fixture.store->stats().reservations_active == 0);
}

TEST_CASE("threads with entities, waits and limits together all get an answer") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.open();
  std::atomic<int> in_flight{0};
  std::atomic<bool> good{true};
  std::array<std::atomic<int>, 3> inside{};
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      HandLoop loop;
      for (std::uint64_t round = 0; round < 40; ++round) {
        std::vector<ReserveRequest> requests;
        for (std::uint64_t i = 0; i < 6; ++i) {
          // Fingerprints and entities that other threads ask for too.
          ReserveRequest one = in_turn(round * 6 + i, i % 3, 60s);
          one.wait = 60s;
          one.rate = RateTerms{rate_key(i % 2), 1'000'000, 1h};
          one.entity->sequence = static_cast<std::int64_t>(round);
          requests.push_back(one);
        }
        Calls calls;
        for (const ReserveRequest& one : requests) {
          calls.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
          if (fixture.store->reserve(one, *calls.back())) calls.back()->at_once();
        }
        std::size_t settled = 0;
        const bool all = loop.run_until([&] {
          for (std::size_t i = 0; i < calls.size(); ++i) {
            if (!calls[i] || !calls[i]->answered()) continue;
            ++settled;
            if (auto* const mine = std::get_if<Reserved>(&*calls[i]->result)) {
              if (inside[i % 3].fetch_add(1) != 0) good = false;
              std::this_thread::yield();
              inside[i % 3].fetch_sub(1);
              if ((round + i + thread) % 3 == 0) {
                static_cast<void>(fixture.release(std::move(mine->permit)));
              } else {
                static_cast<void>(fixture.complete(std::move(mine->permit), answer(200, "")));
              }
            } else if (is<InFlight>(*calls[i]->result) || is<NoTurn>(*calls[i]->result)) {
              ++in_flight;
            }
            calls[i].reset();
          }
          return settled == calls.size();
        });
        if (!all) good = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good);
  CHECK(in_flight == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
}
