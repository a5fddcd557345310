#include "store/rocksdb/event_rows.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

EventRow full_row() {
  EventRow row;
  row.created = WallTime(1'000ms);
  row.ended = WallTime(2'000ms);
  row.window = 3'000ms;
  row.fingerprint = fingerprint(1);
  row.nonce.fill(7);
  row.payload_bytes = 12;
  row.payload_kept = false;
  row.unless_closed = true;
  row.keep_dead = false;
  row.entity = entity_key(2);
  row.sequence = Sequence::of_time(5, 6);
  row.policy = "dispatch";
  row.method = "POST";
  row.target = std::string(70'000, 't');
  row.listeners = {"a", "b"};
  return row;
}

}  // namespace

TEST_CASE("an event's row comes back as it went") {
  const auto row = decode_event_row(encode(full_row()));
  REQUIRE(row);
  CHECK(row->created == WallTime(1'000ms));
  CHECK(row->ended == WallTime(2'000ms));
  CHECK(row->window == 3'000ms);
  CHECK(row->fingerprint == fingerprint(1));
  CHECK(row->nonce == full_row().nonce);
  CHECK(row->payload_bytes == 12);
  CHECK_FALSE(row->payload_kept);
  CHECK(row->unless_closed);
  CHECK_FALSE(row->keep_dead);
  CHECK(row->entity == entity_key(2));
  CHECK(row->sequence == Sequence::of_time(5, 6));
  CHECK(row->policy == "dispatch");
  CHECK(row->target.size() == 70'000);
  CHECK(row->listeners == std::vector<std::string>{"a", "b"});
  CHECK(decode_event_row(encode(EventRow()))->listeners.empty());
}

TEST_CASE("bytes that are no row are not taken for one") {
  for (const std::string& bytes :
       {encode(full_row()), encode(DeliveryRow()), encode(PendingRow())}) {
    CHECK_FALSE(decode_event_row(bytes.substr(0, bytes.size() - 1)));
    CHECK_FALSE(decode_event_row(bytes + "x"));
    CHECK_FALSE(decode_delivery_row(bytes + "x"));
    CHECK_FALSE(decode_pending_row(bytes.substr(0, 5)));
    std::string later = bytes;
    later[0] = 2;
    CHECK_FALSE(decode_event_row(later));
    CHECK_FALSE(decode_delivery_row(later));
    CHECK_FALSE(decode_pending_row(later));
  }
}

TEST_CASE("keys are in the order of numbers, and of listeners apart from each other") {
  CHECK(pending_key("a", 255) < pending_key("a", 256));
  CHECK(pending_key("a", ~EventNumber{0}) < pending_key("ab", 0));
  CHECK(delivery_key(1, "z") < delivery_key(2, "a"));
  CHECK(fingerprint_key(fingerprint(1), 2) < fingerprint_key(fingerprint(1), 1));
  CHECK(look_key(WallTime(1s), 9) < look_key(WallTime(2s), 1));
  CHECK(last_number(pending_key("a", 77)) == 77);
  CHECK(~last_number(fingerprint_key(fingerprint(1), 77)) == 77);
  CHECK(delivery_event(delivery_key(3, "abc")) == 3);
  CHECK(delivery_listener(delivery_key(3, "abc")) == "abc");
  CHECK(look_time(look_key(WallTime(2s), 1)) == WallTime(2s));
  CHECK(behind("p") == "q");
  CHECK(behind("p\xff") == "q");
}

TEST_CASE("states have the names that operators read") {
  for (const DeliveryState state :
       {DeliveryState::pending, DeliveryState::failed, DeliveryState::notified, DeliveryState::dead,
        DeliveryState::cancelled, DeliveryState::removed}) {
    CHECK(delivery_state(name(state)) == state);
  }
  CHECK(delivery_state("notified") == DeliveryState::notified);
  CHECK_FALSE(delivery_state("gone"));
}
