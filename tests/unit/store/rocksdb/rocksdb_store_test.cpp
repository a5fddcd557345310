#include "store/rocksdb/rocksdb_store.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "store/lease.hpp"
#include "store/notes.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("the first request reserves, the next is in flight, a later one gets the answer") {
  Fixture fixture;
  fixture.open();
  Permit permit = fixture.permit(request(1));
  CHECK(is<InFlight>(fixture.reserve(request(1))));
  CHECK(fixture.complete(std::move(permit), answer(201, "made")) == Settled::done);

  const ReserveResult result = fixture.reserve(request(1));
  REQUIRE(is<Completed>(result));
  const auto& completed = std::get<Completed>(result);
  CHECK(completed.answer.status == 201);
  CHECK(completed.answer.head == "content-type: text/plain\r\n");
  CHECK(completed.answer.body == "made");
  CHECK(completed.answer.replayable);
  CHECK(completed.completed_at == fixture.clock.now());
}

TEST_CASE("of 64 threads that reserve one fingerprint, exactly one succeeds") {
  Fixture fixture;
  fixture.open();
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::atomic<int> reserved{0};
    std::atomic<int> in_flight{0};
    std::atomic<bool> go{false};
    std::vector<std::optional<ReserveResult>> results(64);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 64; ++i) {
      threads.emplace_back([&, i] {
        go.wait(false);
        results[i] = fixture.reserve(request(round));
        if (is<Reserved>(*results[i])) ++reserved;
        if (is<InFlight>(*results[i])) ++in_flight;
      });
    }
    go = true;
    go.notify_all();
    for (std::thread& thread : threads) thread.join();
    REQUIRE(reserved == 1);
    REQUIRE(in_flight == 63);
  }
}

TEST_CASE("64 threads that ask for a completed operation all get its answer") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "ok")) == Settled::done);
  std::atomic<int> completed{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 64; ++i) {
    threads.emplace_back([&] {
      go.wait(false);
      for (int round = 0; round < 50; ++round) {
        if (is<Completed>(fixture.reserve(request(1)))) ++completed;
      }
    });
  }
  go = true;
  go.notify_all();
  for (std::thread& thread : threads) thread.join();
  CHECK(completed == 64 * 50);
}

TEST_CASE("another payload is a mismatch in flight, completed, unknown and after a restart") {
  Fixture fixture;
  fixture.open();
  ReserveRequest one = request(1);
  one.payload = payload(1);
  ReserveRequest other = request(1);
  other.payload = payload(2);
  Permit permit = fixture.permit(one);
  CHECK(is<Mismatch>(fixture.reserve(other)));
  CHECK(is<InFlight>(fixture.reserve(one)));
  CHECK(is<InFlight>(fixture.reserve(request(1))));

  SECTION("completed") {
    fixture.complete(std::move(permit), answer(200, ""));
  }
  SECTION("unknown") {
    fixture.mark_unknown(std::move(permit));
  }
  SECTION("held by a dead process") {
    permit.use();
  }
  CHECK(is<Mismatch>(fixture.reserve(other)));
  fixture.open();
  CHECK(is<Mismatch>(fixture.reserve(other)));
  CHECK_FALSE(is<Mismatch>(fixture.reserve(one)));
}

TEST_CASE("a released fingerprint is free at once, and stays free over a restart") {
  Fixture fixture;
  fixture.open();
  CHECK(fixture.release(fixture.permit(request(1))) == Settled::done);
  CHECK(fixture.release(fixture.permit(request(1))) == Settled::done);
  fixture.open();
  CHECK(is<Reserved>(fixture.reserve(request(1))));
}

TEST_CASE("a completed operation is forgotten when its window ends, counted from completion") {
  Fixture fixture;
  fixture.open();
  ReserveRequest brief = request(1);
  brief.terms.window = 10s;
  Permit permit = fixture.permit(brief);
  fixture.clock.advance(8s);
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  fixture.clock.advance(9'999ms);
  CHECK(is<Completed>(fixture.reserve(brief)));
  fixture.clock.advance(1ms);
  CHECK(is<Reserved>(fixture.reserve(brief)));
}

TEST_CASE("an unknown outcome is held for its lease, then tried again under retry") {
  Fixture fixture;
  fixture.open();
  ReserveRequest retried = request(1);
  retried.terms.lease = 30s;
  REQUIRE(fixture.mark_unknown(fixture.permit(retried)) == Settled::done);
  fixture.clock.advance(29s);
  const ReserveResult held = fixture.reserve(retried);
  REQUIRE(is<Held>(held));
  CHECK(std::get<Held>(held).lease_left == 1s);
  fixture.clock.advance(1s);
  const ReserveResult again = fixture.reserve(retried);
  REQUIRE(is<Reserved>(again));
  CHECK(std::get<Reserved>(again).attempt == 2);
}

TEST_CASE("an unknown outcome stays held under hold until its window ends") {
  Fixture fixture;
  fixture.open();
  ReserveRequest held = request(1);
  held.terms = {30s, 3600s, OnUnknown::hold};
  REQUIRE(fixture.mark_unknown(fixture.permit(held)) == Settled::done);
  fixture.clock.advance(30s);
  const ReserveResult after_lease = fixture.reserve(held);
  REQUIRE(is<Held>(after_lease));
  CHECK_FALSE(std::get<Held>(after_lease).lease_left.has_value());
  fixture.clock.advance(3569s);
  CHECK(is<Held>(fixture.reserve(held)));
  fixture.clock.advance(1s);
  CHECK(is<Reserved>(fixture.reserve(held)));
}

TEST_CASE("a dead process's reservation is found by its lease, then retried or held") {
  Fixture fixture;
  fixture.open();
  ReserveRequest lost = request(1);
  lost.terms = {30s, 3600s, OnUnknown::retry};
  fixture.permit(lost).use();  // its process dies with it
  fixture.open();
  const ReserveResult held = fixture.reserve(lost);
  REQUIRE(is<Held>(held));
  CHECK(std::get<Held>(held).lease_left == 30s);
  fixture.clock.advance(30s);
  SECTION("retry") {
    const ReserveResult again = fixture.reserve(lost);
    REQUIRE(is<Reserved>(again));
    CHECK(std::get<Reserved>(again).attempt == 2);
  }
  SECTION("hold, until the window after the lease ends") {
    lost.terms.unknown = OnUnknown::hold;
    CHECK(is<Held>(fixture.reserve(lost)));
    fixture.clock.advance(3599s);
    CHECK(is<Held>(fixture.reserve(lost)));
    fixture.clock.advance(1s);
    CHECK(is<Reserved>(fixture.reserve(lost)));
  }
}

TEST_CASE("completed operations survive a restart, small and large, replayable and not") {
  Fixture fixture;
  fixture.open();
  const std::string large(100'000, 'x');
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "small")) == Settled::done);
  REQUIRE(fixture.complete(fixture.permit(request(2)), answer(200, large)) == Settled::done);
  StoredAnswer unkept{503, "", "", false};
  REQUIRE(fixture.complete(fixture.permit(request(3)), unkept) == Settled::done);
  for (int opened = 0; opened < 2; ++opened) {
    CHECK(std::get<Completed>(fixture.reserve(request(1))).answer.body == "small");
    const StoredAnswer big = std::get<Completed>(fixture.reserve(request(2))).answer;
    CHECK(big.body == large);
    CHECK(big.head == "content-type: text/plain\r\n");
    const StoredAnswer none = std::get<Completed>(fixture.reserve(request(3))).answer;
    CHECK(none.status == 503);
    CHECK_FALSE(none.replayable);
    fixture.open();
  }
}

TEST_CASE("a late permit is refused and changes nothing") {
  Fixture fixture;
  fixture.open();
  ReserveRequest taken = request(1);
  taken.terms.lease = 1s;
  Permit first = fixture.permit(taken);
  Permit copy(*fixture.store, first.fingerprint(), first.nonce(), first.fence());
  REQUIRE(fixture.mark_unknown(std::move(first)) == Settled::done);
  CHECK(fixture.complete(std::move(copy), answer(200, "late")) == Settled::refused);

  fixture.clock.advance(1s);
  Permit second = fixture.permit(taken);
  Permit forged(*fixture.store, second.fingerprint(), Nonce{}, second.fence());
  CHECK(fixture.release(std::move(forged)) == Settled::refused);
  CHECK(is<InFlight>(fixture.reserve(taken)));
  CHECK(fixture.complete(std::move(second), answer(200, "mine")) == Settled::done);
  CHECK(std::get<Completed>(fixture.reserve(taken)).answer.body == "mine");
}

TEST_CASE("a dropped permit is reported and its reservation left to the lease") {
  Fixture fixture;
  fixture.open();
  ReserveRequest dropped = request(1);
  dropped.terms.lease = 30s;
  { const Permit permit = fixture.permit(dropped); }
  CHECK(fixture.seen.permits_dropped == 1);
  CHECK(fixture.store->stats().reservations_active == 0);
  CHECK(is<Held>(fixture.reserve(dropped)));
  // Whenever it was dropped since its lease was renewed last.
  fixture.clock.advance(30s + renewal_max(30s) - 1ms);
  CHECK(is<Held>(fixture.reserve(dropped)));
  fixture.clock.advance(1ms);
  CHECK(is<Reserved>(fixture.reserve(dropped)));
}

TEST_CASE("fences rise with every reservation and over restarts") {
  Fixture fixture;
  std::uint64_t last = 0;
  for (std::uint64_t opened = 0; opened < 3; ++opened) {
    fixture.open();
    for (std::uint64_t i = 0; i < 5; ++i) {
      Permit permit = fixture.permit(request(opened * 100 + i));
      CHECK(permit.fence() > last);
      last = permit.fence();
      REQUIRE(fixture.release(std::move(permit)) == Settled::done);
    }
  }
}

TEST_CASE("over the pending limit new fingerprints are refused and known ones answered") {
  Fixture fixture;
  fixture.options.pending_max = 2;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(9)), answer(200, "")) == Settled::done);
  Permit one = fixture.permit(request(1));
  Permit two = fixture.permit(request(2));
  CHECK(is_unavailable(fixture.reserve(request(3)), Unavailable::Reason::pending));
  CHECK(is<InFlight>(fixture.reserve(request(1))));
  CHECK(is<Completed>(fixture.reserve(request(9))));
  REQUIRE(fixture.release(std::move(one)) == Settled::done);
  CHECK(is<Reserved>(fixture.reserve(request(3))));
}

TEST_CASE("close answers what is under way, refuses what comes after, and may be repeated") {
  Fixture fixture;
  fixture.open();
  Permit kept = fixture.permit(request(0));
  std::vector<std::unique_ptr<Waiting<ReserveResult>>> calls;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    auto& call = *calls.emplace_back(std::make_unique<Waiting<ReserveResult>>(fixture.loop));
    if (fixture.store->reserve(request(i), call)) call.at_once();
  }
  fixture.store->close();
  for (auto& call : calls) {
    REQUIRE(call->answered());
    CHECK(is<Reserved>(*call->result));
  }
  CHECK(is_unavailable(fixture.reserve(request(1)), Unavailable::Reason::closing));
  CHECK(fixture.complete(std::move(kept), answer(200, "")) == Settled::failed);
  fixture.store->close();
  CHECK_FALSE(fixture.store->stats().healthy);
}

TEST_CASE("notes are kept across a restart, each as it was last handed in") {
  Fixture fixture;
  fixture.open();
  Notes& notes = *fixture.store->notes();
  CHECK_FALSE(notes.note("a"));
  CHECK(notes.keep("a", "first"));
  CHECK(notes.keep("a", std::string("se\0cond", 7)));
  CHECK(notes.keep("b", "kept"));
  CHECK_FALSE(notes.keep("c", std::string(note_bytes_max + 1, 'x')));
  CHECK(notes.flush(std::chrono::seconds(30)));
  fixture.open();
  Notes& again = *fixture.store->notes();
  CHECK(again.note("a") == std::string("se\0cond", 7));
  CHECK(again.note("b") == "kept");
  CHECK_FALSE(again.note("c"));
  // Beside them stands what the store knows of itself.
  CHECK(again.keep("a", "third"));
  CHECK(again.keep("ab", "fourth"));
  again.forget("b");
  CHECK_FALSE(again.note("b"));
  fixture.open();
  Notes& last = *fixture.store->notes();
  CHECK(last.note("a") == "third");
  CHECK_FALSE(last.note("b"));
  using All = std::vector<std::pair<std::string, std::string>>;
  CHECK(last.notes("a") == All{{"a", "third"}, {"ab", "fourth"}});
  CHECK(last.notes("ab") == All{{"ab", "fourth"}});
}
