#include "store/nonce.hpp"

#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>

using namespace onceproxy::store;

TEST_CASE("nonces of many threads do not meet") {
  std::set<Nonce> all;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2'000; ++n) {
        const Nonce nonce = random_nonce();
        const std::lock_guard lock(mutex);
        all.insert(nonce);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(all.size() == 16'000);
}
