#include "store/lease.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::store;
using namespace std::chrono_literals;

namespace {

constexpr Terms terms{40s, 100s, OnUnknown::retry};
constexpr auto renewals = renewal_max(40s);

WallTime at(std::chrono::milliseconds time) {
  return WallTime(time);
}

Record reserved_at(std::chrono::milliseconds time, std::uint64_t fence = 5) {
  Record record;
  record.fence = fence;
  start_lease(record, terms, at(time));
  return record;
}

}  // namespace

TEST_CASE("a holder that died may have lived until its next renewal: from there the lease runs") {
  const Era era{at(0s), 4};
  const Record record = reserved_at(1000s);
  CHECK(renewals == 12s);
  CHECK(lease_end(record, era) == at(1040s) + renewals);
  CHECK(expiry(record, era) == at(1140s) + renewals);
  CHECK(state_at(record, era, at(1040s) + renewals - 1ms, false) == Record::State::reserved);
  CHECK(state_at(record, era, at(1040s) + renewals, false) == Record::State::unknown);
  CHECK(state_at(record, era, at(9999s), true) == Record::State::reserved);
}

TEST_CASE("an earlier process's lease holds no longer than itself once another has begun") {
  const Record record = reserved_at(1000s);
  CHECK(lease_end(record, {at(1005s), 5}) == at(1045s));
  CHECK(expiry(record, {at(1005s), 5}) == at(1145s));
  // It began long after: the lease was over before.
  CHECK(lease_end(record, {at(1500s), 5}) == at(1040s) + renewals);
  // Whatever the clock did.
  CHECK(lease_end(record, {at(-1'000'000s), 5}) == at(-1'000'000s + 40s));
  Record unknown = record;
  unknown.state = Record::State::unknown;
  CHECK(lease_end(unknown, {at(1005s), 5}) == at(1040s));
  CHECK(lease_end(unknown, {at(-1'000'000s), 5}) == at(-1'000'000s + 40s));
}

TEST_CASE("a reservation of an earlier version has the lease that was written") {
  Record record = reserved_at(1000s);
  record.settled = WallTime();
  record.expires = record.lease_ends + terms.window;
  for (const std::uint64_t fences : {4, 5}) {
    CHECK(lease_end(record, {at(1005s), fences}) == at(1040s));
    CHECK(expiry(record, {at(1005s), fences}) == at(1140s));
  }
}

TEST_CASE("a completed record stays completed whatever its holder and lease") {
  Record record = reserved_at(1000s);
  record.state = Record::State::completed;
  record.expires = at(2000s);
  CHECK(state_at(record, {}, at(1999s), false) == Record::State::completed);
  CHECK(expiry(record, {at(1500s), 5}) == at(2000s));
}

TEST_CASE("nothing is remembered for longer than its terms allow") {
  Terms terms;
  terms.lease = 30s;
  terms.window = 1h;
  const WallTime now{std::chrono::milliseconds(0)};
  Record record;
  start_lease(record, terms, now);
  CHECK(record.expires <= now + remembered_max(terms));
  CHECK(now + std::max(terms.window, terms.lease) <= now + remembered_max(terms));
}
