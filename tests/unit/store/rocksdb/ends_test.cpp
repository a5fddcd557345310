// A completion that ends other operations: their memory goes with the same write.
#include <catch2/catch.hpp>
#include <span>

#include "faulty_file_system.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

ReserveRequest waiting(std::uint64_t number, std::chrono::milliseconds wait = 10s) {
  ReserveRequest out = request(number);
  out.wait = wait;
  return out;
}

struct EndsFixture : Fixture {
  HandLoop hands;

  Settled complete_ending(Permit permit, std::vector<std::uint64_t> numbers,
                          StoredAnswer answer = {200, {}, "done", true}) {
    std::vector<Fingerprint> ends;
    for (const std::uint64_t number : numbers) ends.push_back(fingerprint(number));
    Waiting<Settled> call(loop);
    if (store->complete(std::move(permit), std::move(answer), ends, call)) return *call.result;
    return call.wait();
  }
  /// One operation from its reservation to its completion.
  void run(std::uint64_t number, std::vector<std::uint64_t> ends = {}) {
    REQUIRE(complete_ending(permit(request(number)), std::move(ends)) == Settled::done);
  }
  bool is_completed(std::uint64_t number) { return is<Completed>(reserve(request(number))); }

  std::unique_ptr<Waiting<ReserveResult>> start(const ReserveRequest& request) {
    auto call = std::make_unique<Waiting<ReserveResult>>(hands);
    if (store->reserve(request, *call)) call->at_once();
    return call;
  }
  ReserveResult& answer_of(Waiting<ReserveResult>& call) {
    if (!hands.run_until([&] { return call.answered(); })) {
      throw std::runtime_error("never answered");
    }
    return *call.result;
  }
};

constexpr std::uint64_t trigger = 1;
constexpr std::uint64_t resolve = 2;

}  // namespace

TEST_CASE("trigger, resolve, trigger, resolve is four operations") {
  EndsFixture fixture;
  fixture.open();
  for (int round = 0; round < 3; ++round) {
    fixture.run(trigger, {trigger, resolve});
    CHECK(fixture.is_completed(trigger));
    CHECK(fixture.is_completed(trigger));  // from memory
    fixture.run(resolve, {trigger, resolve});
    CHECK(fixture.is_completed(resolve));
    CHECK(fixture.is_completed(resolve));
  }
  CHECK(fixture.store->stats().reservations_active == 0);
}

TEST_CASE(
    "an ended operation stays ended after a restart, and the one that ended it stays completed") {
  EndsFixture fixture;
  fixture.open();
  const std::string large(8 * 1024, 'x');
  REQUIRE(fixture.complete(fixture.permit(request(trigger)), answer(200, large)) == Settled::done);
  CHECK(fixture.is_completed(trigger));
  fixture.run(resolve, {trigger});
  fixture.open();
  CHECK(fixture.is_completed(resolve));
  const ReserveResult again = fixture.reserve(request(trigger));
  CHECK(is<Reserved>(again));
  CHECK(std::get<Reserved>(again).attempt == 1);
}

TEST_CASE("an unknown outcome ends too, once its lease keeps nobody out any more") {
  EndsFixture fixture;
  fixture.open();
  ReserveRequest held = request(trigger);
  held.terms.unknown = OnUnknown::hold;
  REQUIRE(fixture.mark_unknown(fixture.permit(held)) == Settled::done);
  fixture.run(resolve, {trigger});
  CHECK(is<Held>(fixture.reserve(held)));
  fixture.clock.advance(held.terms.lease);
  fixture.run(3, {trigger});
  CHECK(is<Reserved>(fixture.reserve(held)));
}

TEST_CASE("reservations of a dead process do not end before their leases") {
  EndsFixture fixture;
  fixture.open();
  std::optional<Permit> left(fixture.permit(request(trigger)));
  left.reset();
  fixture.run(resolve, {trigger});
  CHECK(is<Held>(fixture.reserve(request(trigger))));
}

TEST_CASE("an operation that is under way completes unremembered") {
  EndsFixture fixture;
  fixture.open();
  Permit under_way = fixture.permit(request(trigger));
  fixture.run(resolve, {trigger});
  ReserveRequest other = request(trigger);
  other.payload = payload(7);
  const ReserveResult meanwhile = fixture.reserve(other);
  REQUIRE(is<InFlight>(meanwhile));
  CHECK(std::get<InFlight>(meanwhile).ended);
  REQUIRE(fixture.complete(std::move(under_way), answer(200, "first")) == Settled::done);
  CHECK(is<Reserved>(fixture.reserve(other)));
  fixture.open();
  CHECK_FALSE(fixture.is_completed(trigger));
}

TEST_CASE("an operation that is reserved after it was ended is remembered") {
  EndsFixture fixture;
  fixture.open();
  fixture.run(resolve, {trigger});
  fixture.run(trigger);
  CHECK(fixture.is_completed(trigger));
  fixture.open();
  CHECK(fixture.is_completed(trigger));
}

TEST_CASE("one that is under way and fails is released or unknown as ever") {
  EndsFixture fixture;
  fixture.open();
  Permit first = fixture.permit(request(trigger));
  fixture.run(resolve, {trigger});
  REQUIRE(fixture.release(std::move(first)) == Settled::done);
  Permit second = fixture.permit(request(trigger));
  REQUIRE(fixture.mark_unknown(std::move(second)) == Settled::done);
  CHECK(is<Held>(fixture.reserve(request(trigger))));
}

TEST_CASE("duplicates that waited before the end get the answer, those that came later do not") {
  EndsFixture fixture;
  fixture.open();
  Permit under_way = fixture.permit(request(trigger));
  const ReserveRequest patient = waiting(trigger);
  ReserveRequest fresh = waiting(trigger);
  fresh.payload = payload(9);
  const auto before = fixture.start(patient);
  fixture.run(resolve, {trigger});
  const auto later = fixture.start(fresh);
  const auto last = fixture.start(fresh);
  const std::string body(GENERATE(std::size_t{10}, std::size_t{8 * 1024}), 'x');
  REQUIRE(fixture.complete(std::move(under_way), answer(201, body)) == Settled::done);
  const ReserveResult& repeated = fixture.answer_of(*before);
  REQUIRE(is<Completed>(repeated));
  CHECK(std::get<Completed>(repeated).answer.status == 201);
  CHECK(std::get<Completed>(repeated).answer.body == body);
  ReserveResult& taken = fixture.answer_of(*later);
  REQUIRE(is<Reserved>(taken));
  CHECK_FALSE(last->answered());
  REQUIRE(fixture.complete(std::move(std::get<Reserved>(taken).permit), answer(202, "new")) ==
          Settled::done);
  const ReserveResult& duplicate = fixture.answer_of(*last);
  REQUIRE(is<Completed>(duplicate));
  CHECK(std::get<Completed>(duplicate).answer.body == "new");
  CHECK(fixture.store->stats().calls_waiting == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
}

TEST_CASE("duplicates that wait for one that was ended and released all go on, one of them first") {
  EndsFixture fixture;
  fixture.open();
  Permit under_way = fixture.permit(request(trigger));
  const ReserveRequest patient = waiting(trigger);
  const auto first = fixture.start(patient);
  const auto second = fixture.start(patient);
  fixture.run(resolve, {trigger});
  REQUIRE(fixture.release(std::move(under_way)) == Settled::done);
  ReserveResult& taken = fixture.answer_of(*first);
  REQUIRE(is<Reserved>(taken));
  REQUIRE(fixture.complete(std::move(std::get<Reserved>(taken).permit), answer(200, "x")) ==
          Settled::done);
  CHECK(is<Completed>(fixture.answer_of(*second)));
}

TEST_CASE("an operation does not end itself") {
  EndsFixture fixture;
  fixture.open();
  fixture.run(trigger, {trigger});
  CHECK(fixture.is_completed(trigger));
}

TEST_CASE("a completion that waits for the database ends others once it is written") {
  FaultyEnvironment environment;
  FaultyFileSystem& files = *environment.files;
  EndsFixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  fixture.run(trigger);
  CHECK(fixture.is_completed(trigger));
  Permit permit = fixture.permit(request(resolve));
  files.fault = FaultyFileSystem::Fault::log_append;
  CHECK(fixture.complete_ending(std::move(permit), {trigger}) == Settled::failed);
  files.fault = FaultyFileSystem::Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  CHECK(fixture.is_completed(resolve));
  CHECK(is<Reserved>(fixture.reserve(request(trigger))));
}

TEST_CASE("an operation whose completion is being written when it is ended answers who waits") {
  FaultyEnvironment environment;
  FaultyFileSystem& files = *environment.files;
  EndsFixture fixture;
  fixture.tuning.over = environment.over;
  fixture.tuning.tick = 1h;
  fixture.open();
  Permit first = fixture.permit(request(trigger));
  Permit second = fixture.permit(request(resolve));
  const ReserveRequest patient = waiting(trigger);
  const auto before = fixture.start(patient);
  const int syncs = files.log_syncs;
  files.log_sync_waits = true;
  Waiting<Settled> completed(fixture.loop);
  REQUIRE_FALSE(fixture.store->complete(std::move(first), answer(201, "made"), completed));
  REQUIRE(files.log_synced.wait([&] { return files.log_syncs > syncs; }));
  const Fingerprint ends[] = {fingerprint(trigger)};
  Waiting<Settled> ended(fixture.loop);
  REQUIRE_FALSE(fixture.store->complete(std::move(second), answer(200, ""), ends, ended));
  files.log_sync_waits = false;
  files.log_sync_waits.notify_all();
  CHECK(completed.wait() == Settled::done);
  CHECK(ended.wait() == Settled::done);
  const ReserveResult& repeated = fixture.answer_of(*before);
  REQUIRE(is<Completed>(repeated));
  CHECK(std::get<Completed>(repeated).answer.body == "made");
  CHECK(is<Reserved>(fixture.reserve(request(trigger))));
}
