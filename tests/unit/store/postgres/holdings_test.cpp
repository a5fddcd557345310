#include "store/postgres/holdings.hpp"

#include <catch2/catch.hpp>

#include "../rocksdb/store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

const Nonce mine{1};
const Nonce another{2};

Holding held(Holding::Time now, std::chrono::milliseconds lease) {
  Holding out;
  out.nonce = mine;
  out.payload = payload(1);
  out.terms.lease = lease;
  out.lease_ends = now + lease;
  out.renew = now + lease / 4;
  return out;
}

class Told final : public LeaseWatch {
 public:
  void lease_ended() override { ++times; }
  int times = 0;
};

}  // namespace

TEST_CASE("holdings: only the nonce's holder settles, once") {
  Holdings holdings;
  holdings.add(fingerprint(1), held({}, 1s));
  CHECK_FALSE(holdings.settling(fingerprint(1), another));
  CHECK(holdings.settling(fingerprint(1), mine));
  CHECK_FALSE(holdings.settling(fingerprint(1), mine));
  CHECK(holdings.size() == 1);
  holdings.end(fingerprint(1), another);
  CHECK(holdings.size() == 1);
  holdings.end(fingerprint(1), mine);
  CHECK(holdings.size() == 0);
}

TEST_CASE("holdings: a permit holds its reservation until the lease ends, and no other one") {
  Holdings holdings;
  const Holding::Time now{};
  holdings.add(fingerprint(1), held(now, 1s));
  CHECK(holdings.holds(fingerprint(1), mine, now + 999ms));
  CHECK_FALSE(holdings.holds(fingerprint(1), mine, now + 1s));
  CHECK_FALSE(holdings.holds(fingerprint(1), another, now));
  CHECK_FALSE(holdings.holds(fingerprint(2), mine, now));
}

TEST_CASE("holdings: a duplicate finds what is held, and whether it differs") {
  Holdings holdings;
  const Holding::Time now{};
  CHECK_FALSE(holdings.glance(fingerprint(1), payload(1), now));
  holdings.add(fingerprint(1), held(now, 1s));
  CHECK_FALSE(holdings.glance(fingerprint(1), payload(1), now)->differs);
  CHECK_FALSE(holdings.glance(fingerprint(1), std::nullopt, now)->differs);
  CHECK(holdings.glance(fingerprint(1), payload(2), now)->differs);
}

TEST_CASE("holdings: a duplicate finds nothing after the lease, also while an outcome is written") {
  Holdings holdings;
  const Holding::Time now{};
  holdings.add(fingerprint(1), held(now, 1s));
  CHECK(holdings.settling(fingerprint(1), mine));
  CHECK(holdings.glance(fingerprint(1), payload(1), now + 999ms));
  CHECK_FALSE(holdings.glance(fingerprint(1), payload(1), now + 1s));
  // Who does not look at leases finds it.
  CHECK(holdings.glance(fingerprint(1), payload(1), Holding::Time()));
}

TEST_CASE("holdings: a lease is due after a quarter, and renewed from when that was sent") {
  Holdings holdings;
  const Holding::Time now{};
  holdings.add(fingerprint(1), held(now, 4s));
  CHECK(holdings.due(now + 999ms).empty());
  const auto due = holdings.due(now + 1s);
  REQUIRE(due.size() == 1);
  holdings.renewed(due[0], now + 1s);
  CHECK(holdings.due(now + 1999ms).empty());
  CHECK(holdings.end_leases(now + 4s) == 0);
  CHECK(holdings.end_leases(now + 5s) == 1);
  CHECK(holdings.size() == 0);
}

TEST_CASE("holdings: the end of a lease is told, but not of one that is being settled") {
  Holdings holdings;
  DirectLoop loop;
  const Holding::Time now{};
  const auto told = std::make_shared<Told>();
  holdings.add(fingerprint(1), held(now, 1s));
  holdings.watch(fingerprint(1), mine, loop, told);
  holdings.add(fingerprint(2), held(now, 1s));
  static_cast<void>(holdings.settling(fingerprint(2), mine));
  CHECK(holdings.end_leases(now + 1s) == 1);
  CHECK(told->times == 1);
  CHECK(holdings.size() == 1);
  // Who comes too late to watch is told at once.
  holdings.watch(fingerprint(1), mine, loop, told);
  CHECK(told->times == 2);
}

TEST_CASE("holdings: the watch of one that is lost, or replaced, is told") {
  Holdings holdings;
  DirectLoop loop;
  const Holding::Time now{};
  const auto told = std::make_shared<Told>();
  holdings.add(fingerprint(1), held(now, 1s));
  holdings.watch(fingerprint(1), mine, loop, told);
  holdings.lose({fingerprint(1), another, 1s});
  CHECK(told->times == 0);
  holdings.lose({fingerprint(1), mine, 1s});
  CHECK(told->times == 1);
  holdings.add(fingerprint(2), held(now, 1s));
  holdings.watch(fingerprint(2), mine, loop, told);
  Holding next = held(now, 1s);
  next.nonce = another;
  holdings.add(fingerprint(2), next);
  CHECK(told->times == 2);
  CHECK(holdings.size() == 1);
}

TEST_CASE("holdings: one that an operator took away is held no more") {
  Holdings holdings;
  holdings.add(fingerprint(1), held({}, 1s));
  CHECK(holdings.nonce(fingerprint(1)) == mine);
  holdings.revoke(fingerprint(1), mine);
  CHECK_FALSE(holdings.nonce(fingerprint(1)));
  CHECK_FALSE(holdings.settling(fingerprint(1), mine));
  holdings.add(fingerprint(1), held({}, 1s));
  holdings.lose({fingerprint(1), another, 1s});
  CHECK(holdings.size() == 1);
  holdings.lose({fingerprint(1), mine, 1s});
  CHECK(holdings.size() == 0);
}

TEST_CASE(
    "holdings: one that was reserved after an operator's change is kept, and checked at once") {
  Holdings holdings;
  DirectLoop loop;
  const auto told = std::make_shared<Told>();
  const Holding::Time now{};
  for (const std::optional<Nonce>& before :
       {std::optional<Nonce>(another), std::optional<Nonce>()}) {
    holdings.add(fingerprint(1), held(now + 1h, 1s));
    holdings.watch(fingerprint(1), mine, loop, told);
    CHECK(holdings.due(now + 1h).empty());
    holdings.revoke(fingerprint(1), before);
    CHECK(told->times == 0);
    CHECK(holdings.due(now + 1h).size() == 1);
    CHECK(holdings.settling(fingerprint(1), mine));
    holdings.end(fingerprint(1), mine);
  }
}
