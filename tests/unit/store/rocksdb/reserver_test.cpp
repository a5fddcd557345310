// What a reserve does where it has to wait: for another's outcome, and for an entity's turn.
#include "store/rocksdb/reserver.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "faulty_file_system.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Calls = std::vector<std::unique_ptr<Waiting<ReserveResult>>>;

namespace {

ReserveRequest waiting(std::uint64_t number, std::chrono::milliseconds wait = 10s) {
  ReserveRequest out = request(number);
  out.wait = wait;
  return out;
}

ReserveRequest in_turn(std::uint64_t number, std::uint64_t entity = 1,
                       std::chrono::milliseconds turn = 10s) {
  ReserveRequest out = request(number);
  out.entity.emplace();
  out.entity->key = entity_key(entity);
  out.entity->type = "ride";
  out.entity->id = "r-1";
  out.entity->turn = turn;
  return out;
}

struct WaitingFixture : Fixture {
  HandLoop hands;

  std::unique_ptr<Waiting<ReserveResult>> start(const ReserveRequest& request) {
    auto call = std::make_unique<Waiting<ReserveResult>>(hands);
    if (store->reserve(request, *call)) call->at_once();
    return call;
  }
  /// The answer, which must come; what else is delivered before runs too.
  ReserveResult& answer_of(Waiting<ReserveResult>& call) {
    if (!hands.run_until([&] { return call.answered(); })) {
      throw std::runtime_error("never answered");
    }
    return *call.result;
  }
  Permit permit_of(Waiting<ReserveResult>& call) {
    auto* const reserved = std::get_if<Reserved>(&answer_of(call));
    if (reserved == nullptr) throw std::runtime_error("not reserved");
    return std::move(reserved->permit);
  }
  static std::size_t answered(const Calls& calls) {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(), [](auto& call) { return call->answered(); }));
  }
};

}  // namespace

TEST_CASE("who waits gets the first one's answer") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 50; ++i) calls.push_back(fixture.start(again));
  CHECK(fixture.answered(calls) == 0);
  CHECK(is<InFlight>(fixture.reserve(again)));  // its loop has no timers
  CHECK(is<InFlight>(fixture.reserve(request(1))));
  REQUIRE(fixture.complete(std::move(permit), answer(201, "made")) == Settled::done);
  for (auto& call : calls) {
    const ReserveResult& result = fixture.answer_of(*call);
    REQUIRE(is<Completed>(result));
    CHECK(std::get<Completed>(result).answer.body == "made");
  }
  CHECK(fixture.hands.timers() == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
  CHECK(fixture.store->stats().calls_waiting == 0);
}

TEST_CASE("of those that wait for one that is released exactly one takes over, in order") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(again));
  for (std::size_t turn = 0; turn < 5; ++turn) {
    REQUIRE(fixture.release(std::move(permit)) == Settled::done);
    permit = fixture.permit_of(*calls[turn]);
    CHECK(fixture.answered(calls) == turn + 1);
    CHECK(fixture.hands.delivered() == 0);
    CHECK(fixture.store->stats().reservations_active == 1);
  }
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Completed>(fixture.reserve(request(1))));
}

TEST_CASE("what lies on disk while another looks may be over: who can wait waits for the look") {
  WaitingFixture fixture;
  fixture.open();
  const ReserveRequest patient = waiting(1);
  const ReserveRequest impatient = request(1);
  std::optional<Permit> permit(fixture.permit(patient));
  const auto heir = fixture.start(patient);
  // Its record stays; the heir has the claim, and has not looked yet.
  permit.reset();
  const auto waits = fixture.start(patient);
  const auto does_not = fixture.start(impatient);
  CHECK_FALSE(waits->answered());
  REQUIRE(does_not->answered());
  CHECK(is<Held>(*does_not->result));
  CHECK(is<Held>(fixture.answer_of(*heir)));
  CHECK(is<Held>(fixture.answer_of(*waits)));
}

TEST_CASE("after an unknown outcome or a dropped permit all that wait are told that it is held") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(again));
  SECTION("unknown") {
    REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
  }
  SECTION("dropped") {
    const Permit gone = std::move(permit);
  }
  for (auto& call : calls) CHECK(is<Held>(fixture.answer_of(*call)));
  CHECK(fixture.hands.timers() == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
  CHECK(fixture.store->stats().calls_waiting == 0);
}

TEST_CASE("who waits too long is told that it is in flight, and the others go on waiting") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest brief = waiting(1, 2s);
  const ReserveRequest patient = waiting(1, 5s);
  const auto one = fixture.start(brief);
  const auto other = fixture.start(patient);
  fixture.hands.advance(1999ms);
  CHECK_FALSE(one->answered());
  fixture.hands.advance(1ms);
  REQUIRE(one->answered());
  CHECK(is<InFlight>(*one->result));
  CHECK_FALSE(other->answered());
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Completed>(fixture.answer_of(*other)));
}

TEST_CASE("a time that is over while the claim is on its way takes nothing from the claim") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  const auto first = fixture.start(again);
  const auto second = fixture.start(again);
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  REQUIRE(fixture.hands.delivered() == 1);
  fixture.hands.advance(10s);  // the first is delivered already, the second is not
  REQUIRE(second->answered());
  CHECK(is<InFlight>(*second->result));
  CHECK_FALSE(first->answered());
  CHECK(is<Reserved>(fixture.answer_of(*first)));
}

TEST_CASE("who waits with another payload is told so at once") {
  WaitingFixture fixture;
  fixture.open();
  ReserveRequest one = waiting(1);
  one.payload = payload(1);
  ReserveRequest other = waiting(1);
  other.payload = payload(2);
  Permit permit = fixture.permit(one);
  const auto call = fixture.start(other);
  REQUIRE(call->answered());
  CHECK(is<Mismatch>(*call->result));
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
}

TEST_CASE("how many wait, and what they keep, is bounded") {
  WaitingFixture fixture;
  fixture.tuning.waiting_max = 3;
  fixture.tuning.waiting_bytes_max = 1'000;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  ReserveRequest small = waiting(1);
  small.bytes_kept = 100;
  ReserveRequest large = waiting(1);
  large.bytes_kept = 901;
  Calls calls;
  calls.push_back(fixture.start(small));
  const auto too_large = fixture.start(large);
  REQUIRE(too_large->answered());
  CHECK(is<InFlight>(*too_large->result));
  for (int i = 0; i < 2; ++i) calls.push_back(fixture.start(small));
  CHECK(fixture.answered(calls) == 0);
  CHECK(fixture.store->stats().calls_waiting == 3);
  const auto too_many = fixture.start(small);
  REQUIRE(too_many->answered());
  CHECK(is<InFlight>(*too_many->result));
  fixture.hands.advance(10s);
  CHECK(fixture.answered(calls) == 3);
  const auto room_again = fixture.start(large);
  CHECK_FALSE(room_again->answered());
  fixture.hands.advance(10s);
  CHECK(room_again->answered());
}

TEST_CASE("requests on one entity take turns in order of arrival, across loops") {
  WaitingFixture fixture;
  HandLoop other;
  fixture.open();
  Waiting<ReserveResult> first(fixture.hands);
  const ReserveRequest opening = in_turn(1);
  REQUIRE_FALSE(fixture.store->reserve(opening, first));
  Permit permit = fixture.permit_of(first);
  CHECK(first.turn_wait == 0ns);
  std::vector<ReserveRequest> requests;
  for (std::uint64_t i = 2; i <= 9; ++i) requests.push_back(in_turn(i));
  Calls calls;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    HandLoop& loop = i % 2 == 0 ? fixture.hands : other;
    calls.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
    REQUIRE_FALSE(fixture.store->reserve(requests[i], *calls.back()));
  }
  CHECK(is<Reserved>(fixture.reserve(in_turn(100, 2))));  // another entity
  for (std::size_t i = 0; i < calls.size(); ++i) {
    switch (i % 3) {
      case 0:
        REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
        break;
      case 1:
        REQUIRE(fixture.release(std::move(permit)) == Settled::done);
        break;
      default:
        REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
    }
    CHECK(fixture.answered(calls) == i);
    HandLoop& loop = i % 2 == 0 ? fixture.hands : other;
    REQUIRE(loop.run_until([&] { return calls[i]->answered(); }));
    REQUIRE(is<Reserved>(*calls[i]->result));
    permit = std::move(std::get<Reserved>(*calls[i]->result).permit);
    CHECK(calls[i]->turn_wait > 0ns);
  }
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.reserve(in_turn(200))));
}

TEST_CASE("a turn that does not come in time is refused, and leaves nothing behind") {
  WaitingFixture fixture;
  fixture.tuning.entity_queue_max = 2;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  CHECK(is<NoTurn>(fixture.reserve(in_turn(2))));  // its loop has no timers
  const ReserveRequest second = in_turn(2, 1, 2s);
  const ReserveRequest third = in_turn(3, 1, 3s);
  const ReserveRequest fourth = in_turn(4);
  const auto one = fixture.start(second);
  const auto two = fixture.start(third);
  const auto full = fixture.start(fourth);
  REQUIRE(full->answered());
  CHECK(is<NoTurn>(*full->result));
  CHECK(is<InFlight>(fixture.reserve(request(2))));  // it holds its fingerprint while it queues
  fixture.hands.advance(2s);
  REQUIRE(one->answered());
  CHECK(is<NoTurn>(*one->result));
  CHECK(one->turn_wait >= 0ns);
  CHECK_FALSE(two->answered());
  CHECK(fixture.store->stats().reservations_active == 2);
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.answer_of(*two)));
}

TEST_CASE("a duplicate of a queued request waits behind it, and takes over if it gets no turn") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  const ReserveRequest queued = in_turn(2, 1, 2s);
  ReserveRequest duplicate = in_turn(2, 1, 20s);
  duplicate.wait = 60s;
  const auto one = fixture.start(queued);
  const auto two = fixture.start(duplicate);
  fixture.hands.advance(2s);
  REQUIRE(one->answered());
  CHECK(is<NoTurn>(*one->result));
  REQUIRE(fixture.hands.run_until([&] { return fixture.hands.delivered() == 0; }));
  CHECK_FALSE(two->answered());
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.answer_of(*two)));
}

TEST_CASE("a duplicate of a completed operation is answered without a turn") {
  WaitingFixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(in_turn(1)), answer(200, "one")) == Settled::done);
  Permit busy = fixture.permit(in_turn(2));
  const ReserveRequest again = in_turn(1);
  const auto call = fixture.start(again);
  REQUIRE(call->answered());
  CHECK(is<Completed>(*call->result));
  CHECK(call->turn_wait < 0ns);
  REQUIRE(fixture.release(std::move(busy)) == Settled::done);
}

TEST_CASE("what became stale or closed while it queued is refused, and the turn goes on") {
  WaitingFixture fixture;
  fixture.open();
  ReserveRequest fifth = in_turn(5);
  fifth.entity->sequence = 5;
  fifth.entity->closes = 60s;
  Permit permit = fixture.permit(fifth);
  ReserveRequest fourth = in_turn(4);
  fourth.entity->sequence = 4;
  ReserveRequest shut = in_turn(6);
  shut.entity->sequence = 6;
  shut.entity->unless_closed = true;
  ReserveRequest seventh = in_turn(7);
  seventh.entity->sequence = 7;
  const auto stale = fixture.start(fourth);
  const auto closed = fixture.start(shut);
  const auto next = fixture.start(seventh);
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Stale>(fixture.answer_of(*stale)));
  const ReserveResult& left = fixture.answer_of(*closed);
  REQUIRE(is<Closed>(left));
  CHECK(std::get<Closed>(left).left == 60s);
  CHECK(is<Reserved>(fixture.answer_of(*next)));
}

TEST_CASE("who takes no turn goes on beside whoever has it, and is judged all the same") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  ReserveRequest shadow = in_turn(2);
  shadow.entity->turn.reset();
  shadow.entity->sequence = 9;
  Permit beside = fixture.permit(shadow);
  REQUIRE(fixture.complete(std::move(beside), answer(200, "")) == Settled::done);
  shadow.fingerprint = fingerprint(3);
  CHECK(is<Stale>(fixture.reserve(shadow)));
  CHECK(is<NoTurn>(fixture.reserve(in_turn(4))));
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
}

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
