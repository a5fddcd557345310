#include "store/rocksdb/expiry_filter.hpp"

#include <catch2/catch.hpp>

#include "store/record.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Decision = rocksdb::CompactionFilter::Decision;

namespace {

Decision decide(const rocksdb::CompactionFilter& filter, const std::string& value) {
  return filter.FilterV2(0, "key", rocksdb::CompactionFilter::ValueType::kValue, value, nullptr,
                         nullptr);
}

std::string expiring(WallTime when) {
  Record record;
  record.expires = when;
  return encode(record);
}

}  // namespace

TEST_CASE("only records that expired more than a minute ago are removed; undecodable ones stay") {
  const ManualClock clock;
  const auto factory = make_expiry_filter(
      clock, [](std::string_view, std::string_view value) { return decode_expiry(value); }, false);
  const auto filter = factory->CreateCompactionFilter({});
  REQUIRE(filter);
  CHECK(decide(*filter, expiring(clock.now() - 61s)) == Decision::kRemove);
  CHECK(decide(*filter, expiring(clock.now() - 60s)) == Decision::kKeep);
  CHECK(decide(*filter, expiring(clock.now() + 1s)) == Decision::kKeep);
  CHECK(decide(*filter, "") == Decision::kKeep);
  CHECK(decide(*filter, "\x07 unknown version") == Decision::kKeep);
  CHECK(filter->FilterBlobByKey(0, "key", nullptr, nullptr) == Decision::kUndetermined);
}

TEST_CASE("an answer that lies apart is judged by its key alone") {
  const ManualClock clock;
  const auto factory = make_expiry_filter(
      clock, [](std::string_view key, std::string_view) { return answer_key_expiry(key); }, true);
  const auto filter = factory->CreateCompactionFilter({});
  Record record;
  record.expires = clock.now() - 2min;
  CHECK(filter->FilterBlobByKey(0, answer_key(fingerprint(1), record), nullptr, nullptr) ==
        Decision::kRemove);
  record.expires = clock.now() + 2min;
  CHECK(filter->FilterBlobByKey(0, answer_key(fingerprint(1), record), nullptr, nullptr) ==
        Decision::kKeep);
}

TEST_CASE("nothing is purged while the clock is in doubt") {
  ManualClock clock;
  const auto factory = make_expiry_filter(
      clock, [](std::string_view, std::string_view value) { return decode_expiry(value); }, false);
  clock.doubt(true);
  CHECK(factory->CreateCompactionFilter({}) == nullptr);
  clock.doubt(false);
  CHECK(factory->CreateCompactionFilter({}) != nullptr);
}
