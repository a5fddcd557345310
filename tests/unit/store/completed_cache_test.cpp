#include "store/completed_cache.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

constexpr std::size_t shards = 64;

Record completed(std::size_t body_bytes) {
  Record out;
  out.state = Record::State::completed;
  out.answer = answer(201, std::string(body_bytes, 'b'));
  return out;
}

/// The first `count` fingerprints that share a shard with the first of all.
std::vector<Fingerprint> of_one_shard(std::size_t count) {
  std::vector<Fingerprint> out;
  for (std::uint64_t number = 0; out.size() < count; ++number) {
    const Fingerprint candidate = fingerprint(number);
    const bool same =
        out.empty() || candidate.bytes.back() % shards == out[0].bytes.back() % shards;
    if (same) out.push_back(candidate);
  }
  return out;
}

}  // namespace

TEST_CASE("a kept record is found until it is removed") {
  CompletedCache cache(1 << 20);
  CHECK(cache.find(fingerprint(1)) == nullptr);
  cache.add(fingerprint(1), completed(10), 0);
  REQUIRE(cache.find(fingerprint(1)) != nullptr);
  CHECK(cache.find(fingerprint(1))->answer.body == "bbbbbbbbbb");
  CHECK(cache.find(fingerprint(2)) == nullptr);
  cache.remove(fingerprint(2));
  cache.remove(fingerprint(1));
  CHECK(cache.find(fingerprint(1)) == nullptr);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("a record that was found stays valid after its removal") {
  CompletedCache cache(1 << 20);
  cache.add(fingerprint(1), completed(10), 0);
  const auto found = cache.find(fingerprint(1));
  cache.remove(fingerprint(1));
  CHECK(found->answer.status == 201);
}

TEST_CASE("the cache never holds more than its bytes") {
  constexpr std::size_t bytes_max = 1 << 20;
  CompletedCache cache(bytes_max);
  for (std::uint64_t number = 0; number < 20'000; ++number) {
    cache.add(fingerprint(number), completed(number % 500), 0);
    if (number % 1'000 == 0) CHECK(cache.bytes() <= bytes_max);
  }
  CHECK(cache.bytes() <= bytes_max);
  CHECK(cache.bytes() > bytes_max / 2);
}

TEST_CASE("a record that would push out many others is not kept") {
  CompletedCache cache(shards * 64 * 1024);
  cache.add(fingerprint(1), completed(9 * 1024), 0);
  cache.add(fingerprint(2), completed(6 * 1024), 0);
  CHECK(cache.find(fingerprint(1)) == nullptr);
  CHECK(cache.find(fingerprint(2)) != nullptr);
}

TEST_CASE("a cache of no bytes keeps nothing") {
  CompletedCache cache(0);
  cache.add(fingerprint(1), completed(0), 0);
  CHECK(cache.find(fingerprint(1)) == nullptr);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("a record that is in use stays while others are added") {
  CompletedCache cache(shards * 32 * 1024);
  const auto names = of_one_shard(500);
  cache.add(names[0], completed(1'000), 0);
  for (std::size_t i = 1; i < names.size(); ++i) {
    REQUIRE(cache.find(names[0]) != nullptr);
    cache.add(names[i], completed(1'000), 0);
  }
  CHECK(cache.find(names[0]) != nullptr);
  CHECK(cache.find(names[1]) == nullptr);
  CHECK(cache.find(names.back()) != nullptr);
}

TEST_CASE("room is made although every record was asked for") {
  CompletedCache cache(shards * 32 * 1024);
  const auto names = of_one_shard(200);
  for (const Fingerprint& name : names) {
    cache.add(name, completed(1'000), 0);
    CHECK(cache.find(name) != nullptr);
  }
  CHECK(cache.bytes() <= 32 * 1024);
}

TEST_CASE("records are removed in any order between those that are dropped") {
  CompletedCache cache(shards * 32 * 1024);
  const auto names = of_one_shard(300);
  for (std::size_t i = 0; i < names.size(); ++i) {
    cache.add(names[i], completed(1'000), 0);
    if (i % 3 == 0) cache.find(names[i]);
    if (i % 7 == 0 && i >= 7) cache.remove(names[i - i % 5]);
  }
  CHECK(cache.bytes() <= 32 * 1024);
  for (const Fingerprint& name : names) cache.remove(name);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("a record that was read before a removal is not added after it") {
  CompletedCache cache(1 << 20);
  const auto before = cache.generation(fingerprint(1));
  cache.add(fingerprint(1), completed(10), before);
  cache.forget(fingerprint(1));
  CHECK(cache.find(fingerprint(1)) == nullptr);
  cache.add(fingerprint(1), completed(10), before);
  CHECK(cache.find(fingerprint(1)) == nullptr);
  CHECK(cache.bytes() == 0);
  cache.add(fingerprint(1), completed(10), cache.generation(fingerprint(1)));
  CHECK(cache.find(fingerprint(1)) != nullptr);
}
