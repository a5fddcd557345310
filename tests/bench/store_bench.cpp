// What a reserve and its complete cost, in CPU microseconds of the whole process and by thread,
// with N callers under way on one loop. CPU is the figure to trust: on a shared machine the
// throughput moves by half between runs.
//
//   store_bench [callers=64] [operations=200000] [sync=all] [body=200] [path=.] [buffer_mib=32]
//               [buckets=131072] [trigger=8] [cache_mib=96] [cap_gib=4]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "store/rocksdb/rocksdb_store.hpp"
#include "store/rocksdb/tuning.hpp"
#include "store/store_clock.hpp"

using namespace onceproxy::store;

namespace {

/// One thread that sleeps when there is nothing to do, as an event loop does.
class BenchLoop final : public Loop {
 public:
  void deliver(CallBase* first) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      delivered_.push_back(first);
    }
    wake_.notify_one();
  }
  void run(const std::size_t& left) {
    std::vector<CallBase*> batch;
    while (left > 0) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !delivered_.empty(); });
        batch.swap(delivered_);
      }
      for (CallBase* first : batch) {
        while (first != nullptr) {
          CallBase& call = *std::exchange(first, first->next);
          call.resume(call);
        }
      }
      batch.clear();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<CallBase*> delivered_;
};

struct Bench {
  RocksDbStore& store;
  BenchLoop loop;
  std::mt19937_64 random{42};
  std::string body;
  std::size_t started = 0;
  std::size_t operations = 0;
  std::size_t callers_left = 0;
  std::size_t refused = 0;
};

ReserveRequest next_request(std::mt19937_64& random) {
  ReserveRequest request;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t bits = random();
    std::memcpy(request.fingerprint.bytes.data() + 8 * i, &bits, 8);
  }
  request.payload.emplace().bytes = request.fingerprint.bytes;
  request.policy = "dispatch";
  request.request_id = "9f0c0f5e-3b1c-4a06-9d7e-0d7b5d1c6b4f";
  return request;
}

class Caller {
 public:
  explicit Caller(Bench& bench) : bench_(bench) {}

  void next() {
    while (bench_.started < bench_.operations) {
      ++bench_.started;
      const ReserveRequest request = next_request(bench_.random);
      reserve_ = std::make_unique<Reserving>(*this);
      if (!bench_.store.reserve(request, *reserve_)) return;
      ++bench_.refused;
    }
    --bench_.callers_left;
  }

 private:
  struct Reserving : Call<ReserveResult> {
    explicit Reserving(Caller& owner) : Call(owner.bench_.loop), caller(owner) {
      resume = [](CallBase& base) { static_cast<Reserving&>(base).caller.reserved(); };
    }
    Caller& caller;
  };
  struct Completing : Call<Settled> {
    explicit Completing(Caller& owner) : Call(owner.bench_.loop), caller(owner) {
      resume = [](CallBase& base) { static_cast<Completing&>(base).caller.next(); };
    }
    Caller& caller;
  };

  void reserved() {
    auto* const result = std::get_if<Reserved>(&*reserve_->result);
    if (result == nullptr) {
      ++bench_.refused;
      return next();
    }
    complete_ = std::make_unique<Completing>(*this);
    StoredAnswer answer{200, "content-type: application/json\r\n", bench_.body, true};
    if (bench_.store.complete(std::move(result->permit), std::move(answer), *complete_)) next();
  }

  Bench& bench_;
  std::unique_ptr<Reserving> reserve_;
  std::unique_ptr<Completing> complete_;
};

/// One answer after another, on this thread, for the keys that were made first.
void replay(Bench& bench, std::size_t count) {
  std::mt19937_64 random{42};
  std::size_t completed = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    Call<ReserveResult> call(bench.loop);
    if (bench.store.reserve(next_request(random), call) &&
        std::holds_alternative<Completed>(*call.result)) {
      ++completed;
    }
  }
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
  std::printf("replay %.1f us each, %zu of %zu\n", spent.count() / static_cast<double>(count),
              completed, count);
}

long peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

double cpu_microseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

/// CPU microseconds of each thread that is alive, by its name.
std::map<std::string, double> cpu_by_thread() {
  std::map<std::string, double> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream name_file(task.path() / "comm");
    std::ifstream time_file(task.path() / "schedstat");
    std::string name;
    double nanoseconds = 0;
    std::getline(name_file, name);
    time_file >> nanoseconds;
    out[name] += nanoseconds / 1e3;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> arguments{
      {"callers", "64"},   {"operations", "200000"}, {"sync", "all"},       {"body", "200"},
      {"path", "."},       {"buffer_mib", "32"},     {"buckets", "131072"}, {"trigger", "8"},
      {"cache_mib", "96"}, {"cap_gib", "4"}};
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    const auto equals = text.find('=');
    if (equals == std::string::npos || !arguments.contains(text.substr(0, equals))) {
      std::fprintf(stderr, "unknown argument %s\n", argv[i]);
      return 2;
    }
    arguments[text.substr(0, equals)] = text.substr(equals + 1);
  }
  RocksDbOptions options;
  options.path =
      std::filesystem::path(arguments["path"]) / ("store-bench-" + std::to_string(getpid()));
  options.bytes_max = std::stoull(arguments["cap_gib"]) << 30;
  options.sync = arguments["sync"] == "all"    ? Sync::all
                 : arguments["sync"] == "none" ? Sync::none
                                               : Sync::reservations;
  Tuning tuning;
  tuning.write_buffer_bytes = std::stoul(arguments["buffer_mib"]) << 20;
  tuning.memtable_buckets = std::stoul(arguments["buckets"]);
  tuning.level0_trigger = std::stoi(arguments["trigger"]);
  tuning.cache_bytes = std::stoul(arguments["cache_mib"]) << 20;
  std::size_t groups = 0;
  std::size_t grouped = 0;
  RocksDbObserver observer;
  observer.committed = [&](std::chrono::nanoseconds, std::size_t operations) {
    ++groups;
    grouped += operations;
  };
  observer.failed = [](std::string_view operation, std::string_view detail) {
    std::fprintf(stderr, "failed %.*s: %.*s\n", static_cast<int>(operation.size()),
                 operation.data(), static_cast<int>(detail.size()), detail.data());
  };
  StoreClock clock;
  auto store = open_tuned(options, tuning, clock, observer);
  {
    Bench bench{*store, {}, std::mt19937_64{42}, std::string(std::stoul(arguments["body"]), 'x')};
    bench.operations = std::stoul(arguments["operations"]);
    const std::size_t callers = std::stoul(arguments["callers"]);
    std::vector<std::unique_ptr<Caller>> list;
    bench.callers_left = callers;
    const auto threads_before = cpu_by_thread();
    const double before = cpu_microseconds();
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < callers; ++i) {
      list.push_back(std::make_unique<Caller>(bench));
      list.back()->next();
    }
    bench.loop.run(bench.callers_left);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto operations = static_cast<double>(bench.operations);
    std::printf(
        "cpu %.1f us/op, %.0f op/s, group %.1f, refused %zu |",
        (cpu_microseconds() - before) / operations, operations / seconds,
        static_cast<double>(grouped) / static_cast<double>(std::max<std::size_t>(groups, 1)),
        bench.refused);
    for (auto& [name, micros] : cpu_by_thread()) {
      const auto earlier = threads_before.find(name);
      const double spent = micros - (earlier == threads_before.end() ? 0 : earlier->second);
      if (spent > operations / 100) std::printf(" %s %.1f", name.c_str(), spent / operations);
    }
    std::printf(" | peak %ld MiB, %.0f MiB on disk\n", peak_mebibytes(),
                static_cast<double>(store->stats().bytes) / (1 << 20));
    replay(bench, std::min<std::size_t>(bench.operations, 100'000));
  }
  store->close();
  std::filesystem::remove_all(options.path);
}
