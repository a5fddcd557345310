#include "store/rocksdb/digest_memtable.hpp"

#include <rocksdb/db.h>
#include <rocksdb/slice_transform.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <thread>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

constexpr std::size_t key_bytes = 32;

/// RocksDB with this memtable and nothing else that is special.
struct MemtableFixture {
  TemporaryDirectory directory;
  std::unique_ptr<rocksdb::DB> db;
  std::map<std::string, std::string> expected;
  std::mt19937_64 random{7};

  MemtableFixture() { open(); }
  void open(std::size_t write_buffer_bytes = 64 << 20) {
    db.reset();
    rocksdb::Options options;
    options.create_if_missing = true;
    options.allow_concurrent_memtable_write = false;
    options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(key_bytes));
    options.memtable_factory = make_digest_memtable(1'024);
    options.write_buffer_size = write_buffer_bytes;
    rocksdb::DB* opened = nullptr;
    REQUIRE(rocksdb::DB::Open(options, directory.path().string(), &opened).ok());
    db.reset(opened);
  }
  void put(const std::string& key, const std::string& value) {
    REQUIRE(db->Put({}, key, value).ok());
    expected[key] = value;
  }
  void remove(const std::string& key) {
    REQUIRE(db->Delete({}, key).ok());
    expected.erase(key);
  }
  std::string key(std::uint64_t number) const { return std::string(fingerprint(number).view()); }
  void write(int operations, std::uint64_t keys) {
    for (int i = 0; i < operations; ++i) {
      const std::string name = key(random() % keys);
      if (random() % 4 == 0) {
        remove(name);
      } else {
        put(name, std::to_string(random()));
      }
    }
  }
  std::unique_ptr<rocksdb::Iterator> iterator() const {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    return std::unique_ptr<rocksdb::Iterator>(db->NewIterator(options));
  }
  void check_all() const {
    auto it = iterator();
    it->SeekToFirst();
    for (const auto& [name, value] : expected) {
      REQUIRE(it->Valid());
      CHECK(it->key().ToString() == name);
      CHECK(it->value().ToString() == value);
      it->Next();
    }
    CHECK_FALSE(it->Valid());
    CHECK(it->status().ok());
  }
};

}  // namespace

TEST_CASE_METHOD(MemtableFixture, "the latest writes are found and scanned in order") {
  write(5'000, 500);
  check_all();
  for (std::uint64_t n = 0; n < 500; ++n) {
    std::string value;
    const bool found = db->Get({}, key(n), &value).ok();
    const auto wanted = expected.find(key(n));
    CHECK(found == (wanted != expected.end()));
    if (found) CHECK(value == wanted->second);
  }
}

TEST_CASE_METHOD(MemtableFixture, "a scan begins anywhere and goes both ways") {
  write(2'000, 300);
  for (std::uint64_t n = 0; n < 320; ++n) {
    auto it = iterator();
    it->Seek(key(n));
    auto wanted = expected.lower_bound(key(n));
    CHECK(it->Valid() == (wanted != expected.end()));
    if (it->Valid()) CHECK(it->key().ToString() == wanted->first);
    it->SeekForPrev(key(n));
    wanted = expected.upper_bound(key(n));
    CHECK(it->Valid() == (wanted != expected.begin()));
    if (it->Valid()) CHECK(it->key().ToString() == std::prev(wanted)->first);
  }
  auto it = iterator();
  it->SeekToLast();
  for (auto wanted = expected.rbegin(); wanted != expected.rend(); ++wanted) {
    REQUIRE(it->Valid());
    CHECK(it->key().ToString() == wanted->first);
    it->Prev();
  }
  CHECK_FALSE(it->Valid());
}

TEST_CASE_METHOD(MemtableFixture, "keys that begin alike are in order too") {
  for (int n = 0; n < 200; ++n) {
    put("same head" + std::string(1, static_cast<char>(n)) + std::string(22, 'x'), "1");
    put(std::string(7, '\xff') + std::string(24, 'y') + static_cast<char>(n), "2");
  }
  check_all();
}

TEST_CASE_METHOD(MemtableFixture, "records are the same after a flush and after reading the log") {
  open(100 << 10);
  write(20'000, 3'000);
  check_all();
  REQUIRE(db->Flush({}).ok());
  check_all();
  write(1'000, 3'000);
  open();
  check_all();
}

TEST_CASE_METHOD(MemtableFixture, "a scan sees what was there when it began, while others write") {
  write(2'000, 1'000);
  const auto before = expected;
  auto it = iterator();
  std::atomic<bool> stop{false};
  std::thread scans([&] {
    while (!stop.load()) {
      auto other = iterator();
      std::string last;
      for (other->SeekToFirst(); other->Valid(); other->Next()) {
        if (!last.empty() && other->key().ToString() <= last) stop.store(true);
        last = other->key().ToString();
      }
    }
  });
  write(5'000, 1'000);
  const bool disordered = stop.exchange(true);
  scans.join();
  CHECK_FALSE(disordered);
  it->SeekToFirst();
  for (const auto& [name, value] : before) {
    REQUIRE(it->Valid());
    CHECK(it->key().ToString() == name);
    CHECK(it->value().ToString() == value);
    it->Next();
  }
  CHECK_FALSE(it->Valid());
}
