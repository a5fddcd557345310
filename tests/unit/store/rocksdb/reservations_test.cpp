#include "store/rocksdb/reservations.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Claim = Reservations::Claim;

namespace {

WallTime at(std::chrono::milliseconds time) {
  return WallTime(time);
}

Record record_of(std::uint8_t byte, const Terms& terms, WallTime now) {
  Record record;
  record.nonce.fill(byte);
  start_lease(record, terms, now);
  return record;
}

void end(Reservations& table, const Fingerprint& fingerprint, bool completed = false) {
  Delivery out;
  table.end(fingerprint, completed, out);
  out.send();
}

bool drop(Reservations& table, const Fingerprint& fingerprint, const Nonce& nonce) {
  Delivery out;
  const bool dropped = table.drop(fingerprint, nonce, out).has_value();
  out.send();
  return dropped;
}

}  // namespace

TEST_CASE("a claim belongs to one, and whoever comes meanwhile is told that it is looking") {
  Reservations table(10);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::mine);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::looking);
  CHECK(table.claim(fingerprint(2), std::nullopt) == Claim::mine);
  CHECK(table.glance(fingerprint(1), std::nullopt).looking);
  end(table, fingerprint(1));
  CHECK_FALSE(table.glance(fingerprint(1), std::nullopt).present);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::mine);
}

TEST_CASE("a reservation on its way to the disk is in flight already, and its payload compared") {
  Reservations table(10);
  REQUIRE(table.claim(fingerprint(1), payload(1)) == Claim::mine);
  Record record = record_of(1, {}, at(0s));
  record.payload = payload(1);
  table.reserving(fingerprint(1), record, {});
  CHECK(table.claim(fingerprint(1), payload(1)) == Claim::in_flight);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::in_flight);
  CHECK(table.claim(fingerprint(1), payload(2)) == Claim::mismatch);
  CHECK_FALSE(table.settling(fingerprint(1), record.nonce));
  table.held(fingerprint(1));
  CHECK(table.settling(fingerprint(1), record.nonce));
  CHECK(table.claim(fingerprint(1), payload(2)) == Claim::mismatch);
}

TEST_CASE("only the nonce of the reservation settles it, and only once") {
  Reservations table(10);
  REQUIRE(table.claim(fingerprint(1), std::nullopt) == Claim::mine);
  const Record record = record_of(1, {}, at(0s));
  table.reserving(fingerprint(1), record, {});
  table.held(fingerprint(1));
  CHECK_FALSE(table.settling(fingerprint(1), Nonce{}));
  CHECK_FALSE(drop(table, fingerprint(1), Nonce{}));
  CHECK_FALSE(table.settling(fingerprint(2), record.nonce));
  CHECK(table.settling(fingerprint(1), record.nonce));
  CHECK_FALSE(table.settling(fingerprint(1), record.nonce));
  CHECK_FALSE(drop(table, fingerprint(1), record.nonce));
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::in_flight);
  end(table, fingerprint(1));
  CHECK(table.size() == 0);
}

TEST_CASE("the table is bounded") {
  Reservations table(2);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::mine);
  CHECK(table.claim(fingerprint(2), std::nullopt) == Claim::mine);
  CHECK(table.claim(fingerprint(3), std::nullopt) == Claim::full);
  CHECK(table.claim(fingerprint(1), std::nullopt) == Claim::looking);
  CHECK(table.size() == 2);
  end(table, fingerprint(2));
  end(table, fingerprint(2));
  CHECK(table.claim(fingerprint(3), std::nullopt) == Claim::mine);
}

TEST_CASE("a lease is due once more than a quarter of it has passed") {
  Reservations table(10);
  const Terms terms{40s, 100s, OnUnknown::hold};
  REQUIRE(table.claim(fingerprint(1), std::nullopt) == Claim::mine);
  CHECK(table.due(at(1000s)).empty());
  table.reserving(fingerprint(1), record_of(1, terms, at(0s)), terms);
  CHECK(table.due(at(1000s)).empty());
  table.held(fingerprint(1));
  CHECK(table.due(at(10s)).empty());
  const auto due = table.due(at(11s));
  REQUIRE(due.size() == 1);
  CHECK(due[0].record.lease_ends == at(51s));
  CHECK(due[0].record.settled == at(11s));
  CHECK(due[0].record.expires == at(163s));
  table.extended(due[0]);
  CHECK(table.due(at(21s)).empty());
  CHECK(table.due(at(22s)).size() == 1);
  REQUIRE(table.settling(fingerprint(1), due[0].record.nonce));
  CHECK(table.due(at(1000s)).empty());
}
