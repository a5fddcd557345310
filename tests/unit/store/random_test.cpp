#include "store/random.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <mutex>
#include <regex>
#include <set>
#include <thread>

using namespace onceproxy::store;

TEST_CASE("random bytes of many threads do not meet") {
  using Bytes = std::array<std::uint8_t, 16>;
  std::set<Bytes> all;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2'000; ++n) {
        Bytes bytes;
        fill_random(bytes);
        const std::lock_guard lock(mutex);
        all.insert(bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(all.size() == 16'000);
}

TEST_CASE("as many random bytes are given as are asked for, whatever the number") {
  for (const std::size_t size : {1, 7, 255, 256, 257, 1'000}) {
    // One in 2^128 that the last 16 stay as they are.
    std::vector<std::uint8_t> bytes(size + 16, 0);
    fill_random(bytes);
    CHECK(std::any_of(bytes.end() - 16, bytes.end(), [](std::uint8_t byte) { return byte != 0; }));
  }
}

TEST_CASE("random numbers have every bit set now and then") {
  std::uint64_t seen = 0;
  std::uint64_t always = ~std::uint64_t{0};
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t number = random_number();
    seen |= number;
    always &= number;
  }
  CHECK(seen == ~std::uint64_t{0});
  CHECK(always == 0);
}

TEST_CASE("a random UUID is one of version 4") {
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) {
    const std::string id = random_uuid();
    CHECK(std::regex_match(id, form));
    all.insert(id);
  }
  CHECK(all.size() == 100);
}
