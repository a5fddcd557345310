// Fills a store with completed operations that no request repeats, for filled.py: as many as are
// told, with random fingerprints and answers of 200 random bytes, through the same calls as
// requests make, but without syncs.
//
//   fill_store DIRECTORY RECORDS
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "store/rocksdb/rocksdb_store.hpp"
#include "store/store_clock.hpp"

using namespace onceproxy::store;

namespace {

constexpr std::size_t callers = 1000;
constexpr std::uint64_t told_every = 1'000'000;

class FillLoop final : public Loop {
 public:
  void deliver(CallBase* first) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      delivered_.push_back(first);
    }
    wake_.notify_one();
  }
  /// Resumes what was delivered, and waits for it where nothing was.
  void turn() {
    std::vector<CallBase*> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !delivered_.empty(); });
      batch.swap(delivered_);
    }
    for (CallBase* call : batch) {
      while (call != nullptr) {
        CallBase& now = *std::exchange(call, call->next);
        now.resume(now);
      }
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<CallBase*> delivered_;
};

struct Filling {
  RocksDbStore& store;
  FillLoop loop;
  std::mt19937_64 random{std::random_device{}()};
  std::uint64_t left = 0;
  std::uint64_t done = 0;
  std::uint64_t refused = 0;
};

constexpr std::size_t answer_bytes = 200;

/// Text that does not compress, as an answer that is all identifiers and digests.
std::string random_answer(std::mt19937_64& random) {
  std::string out(answer_bytes, '\0');
  for (std::size_t i = 0; i < out.size(); i += 8) {
    std::uint64_t eight = random() & 0x3f3f3f3f3f3f3f3f;
    eight += 0x2020202020202020;  // printable
    std::memcpy(out.data() + i, &eight, sizeof eight);
  }
  return out;
}

/// Makes one record after another.
class Caller {
 public:
  explicit Caller(Filling& filling) : filling_(filling) {}

  void next() {
    while (filling_.left > 0) {
      --filling_.left;
      ReserveRequest request;
      for (std::uint8_t& byte : request.fingerprint.bytes) {
        byte = static_cast<std::uint8_t>(filling_.random());
      }
      request.payload.emplace().bytes = request.fingerprint.bytes;
      request.policy = "dispatch";
      request.request_id = "9f0c0f5e-3b1c-4a06-9d7e-0d7b5d1c6b4f";
      request.path = "/dispatch";
      reserve_ = std::make_unique<Reserving>(*this);
      if (!filling_.store.reserve(request, *reserve_)) return;
      ++filling_.refused;
      ++filling_.done;
    }
  }

 private:
  struct Reserving : Call<ReserveResult> {
    explicit Reserving(Caller& owner) : Call(owner.filling_.loop), caller(owner) {
      resume = [](CallBase& base) { static_cast<Reserving&>(base).caller.reserved(); };
    }
    Caller& caller;
  };
  struct Completing : Call<Settled> {
    explicit Completing(Caller& owner) : Call(owner.filling_.loop), caller(owner) {
      resume = [](CallBase& base) { static_cast<Completing&>(base).caller.completed(); };
    }
    Caller& caller;
  };

  void reserved() {
    auto* const result = std::get_if<Reserved>(&*reserve_->result);
    if (result == nullptr) {
      ++filling_.refused;
      return completed();
    }
    complete_ = std::make_unique<Completing>(*this);
    StoredAnswer answer{200, "content-type: application/json\r\n", random_answer(filling_.random),
                        true};
    if (filling_.store.complete(std::move(result->permit), std::move(answer), *complete_)) {
      completed();
    }
  }
  void completed() {
    if (++filling_.done % told_every == 0) {
      std::printf("%llu\n", static_cast<unsigned long long>(filling_.done));
      std::fflush(stdout);
    }
    next();
  }

  Filling& filling_;
  std::unique_ptr<Reserving> reserve_;
  std::unique_ptr<Completing> complete_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fill_store DIRECTORY RECORDS\n");
    return 2;
  }
  RocksDbOptions options;
  options.path = argv[1];
  options.sync = Sync::none;
  RocksDbObserver observer;
  observer.failed = [](std::string_view operation, std::string_view detail) {
    std::fprintf(stderr, "failed %.*s: %.*s\n", static_cast<int>(operation.size()),
                 operation.data(), static_cast<int>(detail.size()), detail.data());
  };
  StoreClock clock;
  const auto store = RocksDbStore::open(options, clock, observer);
  Filling filling{.store = *store, .loop = {}};
  const std::uint64_t records = std::strtoull(argv[2], nullptr, 10);
  filling.left = records;
  std::vector<std::unique_ptr<Caller>> list;
  for (std::size_t i = 0; i < callers; ++i) {
    list.push_back(std::make_unique<Caller>(filling));
    list.back()->next();
  }
  while (filling.done < records) filling.loop.turn();
  store->close();
  std::printf("%llu records, %llu refused\n", static_cast<unsigned long long>(records),
              static_cast<unsigned long long>(filling.refused));
  return filling.refused == 0 ? 0 : 1;
}
