// What every backend promises of entities, rate limits and waiting: the same tests against each.
#include <catch2/catch.hpp>

#include "backends.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

ReserveRequest on_entity(std::uint64_t number, std::uint64_t entity) {
  ReserveRequest out = request(number);
  EntityTerms& terms = out.entity.emplace();
  terms.key = entity_key(entity);
  terms.type = "ride";
  terms.id = "4711";
  return out;
}

/// Calls that wait need a loop with timers: the tests' own.
class AskingLater {
 public:
  AskingLater(Store& store, const ReserveRequest& asked) : asked_(asked) {
    thread_ = std::thread([this, &store] {
      HandLoop loop;
      Asked call(loop);
      call.resume = [](CallBase& base) { static_cast<Asked&>(base).answered = true; };
      call.answered = store.reserve(asked_, call);
      if (!loop.run_until([&] { return call.answered; })) return;
      result_ = std::move(*call.result);
    });
  }
  ReserveResult take() {
    thread_.join();
    if (!result_) throw std::runtime_error("never answered");
    return std::move(*result_);
  }

 private:
  struct Asked : Call<ReserveResult> {
    using Call<ReserveResult>::Call;
    bool answered = false;
  };

  const ReserveRequest asked_;
  std::optional<ReserveResult> result_;
  std::thread thread_;
};

}  // namespace

TEMPLATE_TEST_CASE("conformance: a sequence below the highest completed one is stale", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest fifth = on_entity(1, 1);
  fifth.entity->sequence = 5;
  CHECK(one.complete(one.permit(fifth), answer(200, "")) == Settled::done);
  ReserveRequest fourth = on_entity(2, 1);
  fourth.entity->sequence = 4;
  CHECK(is<Stale>(other.reserve(fourth)));
  ReserveRequest equal = on_entity(3, 1);
  equal.entity->sequence = 5;
  CHECK(is<Stale>(other.reserve(equal)));
  equal.entity->equal_passes = true;
  CHECK(other.release(other.permit(equal)) == Settled::done);
  ReserveRequest below_zero = on_entity(4, 2);
  below_zero.entity->sequence = -3;
  CHECK(one.complete(one.permit(below_zero), answer(200, "")) == Settled::done);
  ReserveRequest hex = on_entity(5, 1);
  hex.entity->sequence = Sequence::of_hex(1, 2);  // of another kind: it says nothing
  CHECK(one.complete(one.permit(hex), answer(200, "")) == Settled::done);
  ReserveRequest lower = on_entity(6, 1);
  lower.entity->sequence = Sequence::of_hex(1, 1);
  CHECK(is<Stale>(other.reserve(lower)));
}

TEMPLATE_TEST_CASE("conformance: a completion closes its entity", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest closing = on_entity(1, 1);
  closing.entity->closes = 60s;
  CHECK(one.complete(one.permit(closing), answer(200, "")) == Settled::done);
  ReserveRequest asked = on_entity(2, 1);
  asked.entity->unless_closed = true;
  const ReserveResult closed = other.reserve(asked);
  REQUIRE(is<Closed>(closed));
  CHECK(std::get<Closed>(closed).left <= 60s);
  auto view = backend.inspection().entity(entity_key(1));
  REQUIRE(std::get_if<std::optional<EntityView>>(&view) != nullptr);
  REQUIRE(std::get<std::optional<EntityView>>(view));
  CHECK(std::get<std::optional<EntityView>>(view)->closed_until);
  CHECK(std::get<std::optional<EntityView>>(view)->type == "ride");
  CHECK(backend.inspection().open(entity_key(1)) == Changed::done);
  CHECK(backend.inspection().open(entity_key(1)) == Changed::conflict);
  CHECK(backend.inspection().open(entity_key(9)) == Changed::absent);
  CHECK(other.release(other.permit(asked)) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: one at a time has the turn of an entity", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest first = on_entity(1, 1);
  first.entity->turn = 0ms;
  ReserveRequest second = on_entity(2, 1);
  second.entity->turn = 0ms;
  Permit permit = one.permit(first);
  CHECK(is<NoTurn>(other.reserve(second)));
  CHECK(one.complete(std::move(permit), answer(200, "")) == Settled::done);
  permit = other.permit(second);
  ReserveRequest third = on_entity(3, 1);
  third.entity->turn = 20s;
  AskingLater waits(backend.first(), third);
  REQUIRE(eventually([&] {
    auto view = backend.inspection().entity(entity_key(1));
    return std::get<std::optional<EntityView>>(view)->waiting == 1;
  }));
  CHECK(other.release(std::move(permit)) == Settled::done);
  ReserveResult turn = waits.take();
  REQUIRE(is<Reserved>(turn));
  CHECK(one.complete(std::move(std::get<Reserved>(turn).permit), answer(200, "")) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: who waits for an outcome gets the answer", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Permit permit = one.permit(request(1));
  ReserveRequest asked = request(1);
  asked.wait = 20s;
  AskingLater here(backend.first(), asked);
  AskingLater there(backend.second(), asked);
  REQUIRE(eventually([&] { return backend.calls_waiting() == 2; }));
  CHECK(one.complete(std::move(permit), answer(200, "the answer")) == Settled::done);
  for (AskingLater* const waits : {&here, &there}) {
    const ReserveResult result = waits->take();
    REQUIRE(is<Completed>(result));
    CHECK(std::get<Completed>(result).answer.body == "the answer");
  }
}

TEMPLATE_TEST_CASE("conformance: of those that wait for a released one, one takes over", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  Permit permit = one.permit(request(1));
  ReserveRequest asked = request(1);
  asked.wait = 20s;
  AskingLater here(backend.first(), asked);
  AskingLater there(backend.second(), asked);
  REQUIRE(eventually([&] { return backend.calls_waiting() == 2; }));
  std::atomic<int> reserved{0};
  std::atomic<int> repeated{0};
  const auto end = [&](AskingLater& waits, Verbs& verbs) {
    ReserveResult result = waits.take();
    if (auto* const mine = std::get_if<Reserved>(&result)) {
      ++reserved;
      verbs.complete(std::move(mine->permit), answer(200, "the second"));
    } else if (is<Completed>(result)) {
      ++repeated;
    }
  };
  std::thread first([&] { end(here, one); });
  std::thread second([&] { end(there, other); });
  CHECK(one.release(std::move(permit)) == Settled::done);
  first.join();
  second.join();
  CHECK(reserved == 1);
  CHECK(repeated == 1);
}

TEMPLATE_TEST_CASE("conformance: a release gives back what it took of a rate limit", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  const auto limited = [](std::uint64_t number) {
    ReserveRequest out = request(number);
    out.rate = RateTerms{rate_key(1), 2, std::chrono::minutes(10)};
    return out;
  };
  Permit first = one.permit(limited(1));
  Permit second = other.permit(limited(2));
  const ReserveResult over = one.reserve(limited(3));
  REQUIRE(is<RateLimited>(over));
  CHECK(std::get<RateLimited>(over).retry_after > 4min);
  CHECK(std::get<RateLimited>(over).retry_after <= 5min);
  CHECK(is<InFlight>(other.reserve(limited(1))));  // a duplicate consumes nothing
  CHECK(other.release(std::move(second)) == Settled::done);
  CHECK(one.complete(one.permit(limited(3)), answer(200, "")) == Settled::done);
  CHECK(is<RateLimited>(other.reserve(limited(4))));
  CHECK(one.complete(std::move(first), answer(200, "")) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: operators see records, and change them", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Inspection& inspection = backend.inspection();
  for (std::uint64_t number = 1; number <= 5; ++number) {
    ReserveRequest asked = request(number);
    const std::string path = "/rides/" + std::to_string(number);
    asked.path = path;
    CHECK(one.complete(one.permit(asked), answer(200, "")) == Settled::done);
  }
  ReserveRequest asked = request(6);
  asked.terms.lease = 200ms;
  asked.terms.unknown = OnUnknown::hold;
  CHECK(one.mark_unknown(one.permit(asked)) == Settled::done);
  std::size_t seen = 0;
  std::optional<Fingerprint> after;
  do {
    auto page = inspection.records({}, after, 2);
    REQUIRE(std::holds_alternative<RecordPage>(page));
    seen += std::get<RecordPage>(page).items.size();
    after = std::get<RecordPage>(page).next;
  } while (after);
  CHECK(seen == 6);
  RecordFilter unknown;
  unknown.state = RecordView::State::unknown;
  auto page = inspection.records(unknown, std::nullopt, 10);
  REQUIRE(std::get<RecordPage>(page).items.size() == 1);
  CHECK(std::get<RecordPage>(page).items[0].fingerprint == fingerprint(6));
  CHECK(std::get<RecordPage>(page).items[0].error == "timeout");
  CHECK(inspection.resolve(fingerprint(6), answer(204, "")) == Changed::done);
  CHECK(inspection.resolve(fingerprint(6), std::nullopt) == Changed::conflict);
  CHECK(is<Completed>(one.reserve(asked)));
  CHECK(inspection.forget(fingerprint(1)) == Changed::done);
  CHECK(inspection.forget(fingerprint(1)) == Changed::absent);
  CHECK(inspection.release(fingerprint(2)) == Changed::conflict);
  auto gone = inspection.record(fingerprint(1));
  CHECK_FALSE(std::get<std::optional<RecordView>>(gone));
  auto there = inspection.record(fingerprint(2));
  REQUIRE(std::get<std::optional<RecordView>>(there));
  CHECK(std::get<std::optional<RecordView>>(there)->status == 200);
  Permit held = one.permit(request(7));
  CHECK(inspection.forget(fingerprint(7)) == Changed::conflict);
  CHECK(one.release(std::move(held)) == Settled::done);
}
