// What the store's tests share: a directory that goes away, a clock that is turned by hand, a loop
// whose results a test waits for (with a bound, never by sleeping), and the verbs made synchronous.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../../eventually.hpp"
#include "store/rocksdb/rocksdb_store.hpp"
#include "store/rocksdb/tuning.hpp"

namespace onceproxy::store::testing {

using namespace std::chrono_literals;
using onceproxy::testing::eventually;
using onceproxy::testing::within;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "onceproxy-store-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Stands still until it is turned.
class ManualClock final : public Clock {
 public:
  WallTime now() const override {
    return WallTime(std::chrono::milliseconds(now_.load(std::memory_order_relaxed)));
  }
  void advance(std::chrono::milliseconds by) { now_.fetch_add(by.count()); }
  bool may_purge() const override { return !doubted_.load(); }
  ClockStanding standing() const override { return {wall_ahead_.load(), doubted_.load()}; }
  void doubt(bool doubted) { doubted_.store(doubted); }
  void set_wall_ahead(std::chrono::milliseconds by) { wall_ahead_.store(by); }

 private:
  std::atomic<std::int64_t> now_{std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count()};
  std::atomic<bool> doubted_{false};
  std::atomic<std::chrono::milliseconds> wall_ahead_{0ms};
};

/// A condition that other threads make true, and a test waits for.
class Signal {
 public:
  template <typename Change>
  void change(Change&& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();  // under the lock: whoever waits may end this object at once
  }
  template <typename Condition>
  bool wait(Condition&& condition, std::chrono::seconds bound = 60s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, std::chrono::system_clock::now() + bound, condition);
  }
  template <typename Read>
  auto read(Read&& read) {
    const std::lock_guard lock(mutex_);
    return read();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// Runs what is delivered on the delivering thread, which is loop enough for a test.
class DirectLoop final : public Loop {
 public:
  void deliver(CallBase* first) noexcept override {
    deliveries.fetch_add(1);
    while (first != nullptr) {
      CallBase& call = *std::exchange(first, first->next);
      if (call.resume != nullptr) call.resume(call);
    }
  }
  std::atomic<int> deliveries{0};
};

/// A loop that runs on the thread that tells it to, and whose timers go off when a test turns it
/// on.
class HandLoop final : public Loop {
 public:
  void deliver(CallBase* first) noexcept override {
    signal_.change([&] {
      while (first != nullptr) delivered_.push_back(std::exchange(first, first->next));
    });
  }
  std::unique_ptr<Timer> timer(std::chrono::milliseconds after,
                               std::function<void()> expired) override {
    auto out = std::make_unique<HandTimer>(*this);
    timers_[out.get()] = {now_ + after, std::move(expired)};
    return out;
  }

  /// Runs what is delivered until `done`. False where that takes more than a minute.
  template <typename Done>
  bool run_until(Done&& done) {
    while (!done()) {
      std::vector<CallBase*> batch;
      if (!signal_.wait([&] { return !delivered_.empty(); })) return false;
      signal_.change([&] { batch.swap(delivered_); });
      for (CallBase* const call : batch) call->resume(*call);
    }
    return true;
  }
  std::size_t delivered() {
    return signal_.read([&] { return delivered_.size(); });
  }

  void advance(std::chrono::milliseconds by) {
    now_ += by;
    for (;;) {
      const auto due = std::find_if(timers_.begin(), timers_.end(),
                                    [&](const auto& timer) { return timer.second.at <= now_; });
      if (due == timers_.end()) return;
      const auto expired = std::move(due->second.expired);
      timers_.erase(due);
      expired();
    }
  }
  std::size_t timers() const { return timers_.size(); }

 private:
  struct HandTimer final : Timer {
    explicit HandTimer(HandLoop& owner) : loop(owner) {}
    ~HandTimer() override { loop.timers_.erase(this); }
    HandLoop& loop;
  };
  struct Due {
    std::chrono::milliseconds at{0};
    std::function<void()> expired;
  };

  Signal signal_;
  std::vector<CallBase*> delivered_;
  // The running thread's own.
  std::chrono::milliseconds now_{0};
  std::map<const Timer*, Due> timers_;
};

/// A call that a test can wait for.
template <typename Result>
class Waiting : public Call<Result> {
 public:
  explicit Waiting(Loop& loop) : Call<Result>(loop) {
    this->resume = [](CallBase& base) {
      auto& self = static_cast<Waiting&>(base);
      self.signal_.change([&] { self.answered_ = true; });
    };
  }
  /// Throws where no answer comes within a minute.
  Result& wait() {
    if (!signal_.wait([this] { return answered_; })) throw std::runtime_error("never answered");
    return *this->result;
  }
  bool answered() {
    return signal_.read([this] { return answered_; });
  }
  void at_once() { answered_ = true; }

 private:
  Signal signal_;
  bool answered_ = false;
};

/// What the observer was told.
struct Seen {
  Signal signal;
  std::vector<std::size_t> groups;
  std::vector<std::string> failures;
  std::vector<std::string> events;
  int permits_dropped = 0;

  RocksDbObserver observer() {
    RocksDbObserver out;
    out.committed = [this](std::chrono::nanoseconds, std::size_t operations) {
      signal.change([&] { groups.push_back(operations); });
    };
    out.failed = [this](std::string_view operation, std::string_view detail) {
      signal.change(
          [&] { failures.push_back(std::string(operation) + ": " + std::string(detail)); });
    };
    out.permit_dropped = [this] { signal.change([&] { ++permits_dropped; }); };
    out.event = [this](std::string_view text) {
      signal.change([&] { events.emplace_back(text); });
    };
    return out;
  }
  bool wait_for_event(std::string_view part) {
    return signal.wait([&] { return contains(events, part); });
  }
  bool failed(std::string_view part) {
    return signal.read([&] { return contains(failures, part); });
  }
  static bool contains(const std::vector<std::string>& texts, std::string_view part) {
    for (const std::string& text : texts) {
      if (text.find(part) != std::string::npos) return true;
    }
    return false;
  }
};

inline Fingerprint fingerprint(std::uint64_t number) {
  Fingerprint out;
  for (std::size_t i = 0; i < out.bytes.size(); ++i) {
    number = number * 6364136223846793005u + 1442695040888963407u;
    out.bytes[i] = static_cast<std::uint8_t>(number >> 56);
  }
  return out;
}

inline PayloadDigest payload(std::uint8_t byte) {
  PayloadDigest out;
  out.bytes.fill(byte);
  return out;
}

inline ReserveRequest request(std::uint64_t number) {
  ReserveRequest out;
  out.fingerprint = fingerprint(number);
  out.policy = "dispatch";
  out.request_id = "9f0c0f5e-3b1c-4a06-9d7e-0d7b5d1c6b4f";
  return out;
}

inline EntityKey entity_key(std::uint64_t number) {
  return {fingerprint(number + 1'000'000).bytes};
}

inline RateKey rate_key(std::uint64_t number) {
  return {fingerprint(number + 2'000'000).bytes};
}

inline StoredAnswer answer(int status, std::string body) {
  return {status, "content-type: text/plain\r\n", std::move(body), true};
}

/// A store and everything it needs, reopened at will.
class Fixture {
 public:
  TemporaryDirectory directory;
  ManualClock clock;
  Seen seen;
  DirectLoop loop;
  RocksDbOptions options = [this] {
    RocksDbOptions out;
    out.path = directory.path() / "store";
    return out;
  }();
  Tuning tuning = [] {
    Tuning out;
    out.tick = 5ms;
    out.reopen_first = 1ms;
    out.reopen_last = 10ms;
    out.reclaim_pause = 1ms;
    return out;
  }();
  std::unique_ptr<RocksDbStore> store;

  RocksDbStore& open() {
    store.reset();
    store = open_tuned(options, tuning, clock, seen.observer());
    return *store;
  }

  ReserveResult reserve(const ReserveRequest& request) {
    Waiting<ReserveResult> call(loop);
    if (store->reserve(request, call)) return std::move(*call.result);
    return std::move(call.wait());
  }
  /// The permit of a reservation that must succeed.
  Permit permit(const ReserveRequest& request) {
    ReserveResult result = reserve(request);
    auto* const reserved = std::get_if<Reserved>(&result);
    if (reserved == nullptr) {
      throw std::runtime_error("not reserved but answer " + std::to_string(result.index()));
    }
    return std::move(reserved->permit);
  }
  Settled complete(Permit permit, StoredAnswer answer) {
    Waiting<Settled> call(loop);
    if (store->complete(std::move(permit), std::move(answer), call)) return *call.result;
    return call.wait();
  }
  /// Reserves and completes the numbers from `first` to before `end`, together: in groups, which
  /// cost a few syncs and not one for each. Throws where one is refused.
  void complete_all(std::uint64_t first, std::uint64_t end, const StoredAnswer& answer) {
    std::vector<std::unique_ptr<ReserveRequest>> requests;
    std::vector<std::unique_ptr<Waiting<ReserveResult>>> reserves;
    std::vector<std::unique_ptr<Waiting<Settled>>> completions;
    for (std::uint64_t number = first; number < end; ++number) {
      requests.push_back(std::make_unique<ReserveRequest>(request(number)));
      reserves.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
      if (store->reserve(*requests.back(), *reserves.back())) reserves.back()->at_once();
    }
    for (const auto& call : reserves) {
      auto* const reserved = std::get_if<Reserved>(&call->wait());
      if (reserved == nullptr) throw std::runtime_error("not reserved");
      completions.push_back(std::make_unique<Waiting<Settled>>(loop));
      if (store->complete(std::move(reserved->permit), answer, *completions.back())) {
        completions.back()->at_once();
      }
    }
    for (const auto& call : completions) {
      if (call->wait() != Settled::done) throw std::runtime_error("not completed");
    }
  }
  Settled release(Permit permit, const NotDone& why = {503, {}}) {
    Waiting<Settled> call(loop);
    if (store->release(std::move(permit), why, call)) return *call.result;
    return call.wait();
  }
  Settled mark_unknown(Permit permit, std::string_view error = "timeout") {
    Waiting<Settled> call(loop);
    if (store->mark_unknown(std::move(permit), error, call)) return *call.result;
    return call.wait();
  }
};

template <typename Kind>
bool is(const ReserveResult& result) {
  return std::holds_alternative<Kind>(result);
}

inline bool is_unavailable(const ReserveResult& result, Unavailable::Reason reason) {
  const auto* const unavailable = std::get_if<Unavailable>(&result);
  return unavailable != nullptr && unavailable->reason == reason;
}

}  // namespace onceproxy::store::testing
