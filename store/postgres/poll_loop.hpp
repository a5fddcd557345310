// PollLoop: an event loop on a thread of the store's own, for calls whose own loop watches no
// sockets, and for upkeep. It knows sockets and timers only.
//
// Thread-safety: deliver(), post() and stop() from any thread; everything else on the loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "store/call.hpp"

namespace onceproxy::store {

/// Runs `task` soon on the loop's thread, never within this call.
void post(Loop& loop, std::function<void()> task);

class PollLoop final : public Loop {
 public:
  /// Throws std::system_error if the kernel has no descriptor or no thread left.
  PollLoop();
  /// Calls stop() if it was not called.
  ~PollLoop();
  PollLoop(const PollLoop&) = delete;
  PollLoop& operator=(const PollLoop&) = delete;

  void deliver(CallBase* first) noexcept override;
  std::unique_ptr<Timer> timer(std::chrono::milliseconds after,
                               std::function<void()> expired) override;
  bool watches() const override { return true; }
  std::unique_ptr<SocketWatch> watch(int descriptor, std::function<void()> ready) override;

  bool on_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  /// Runs what was delivered so far, and ends the thread. Idempotent.
  void stop();

 private:
  using SteadyClock = std::chrono::steady_clock;
  class LoopTimer;
  class Watched;
  struct Entry {
    int descriptor = -1;
    bool writing = false;
    std::function<void()> ready;
  };

  void run();
  void wait();
  void run_delivered();
  void run_timers();
  void wake_up();

  /// The ends of a pipe.
  int woken_ = -1;
  int wake_ = -1;
  std::mutex mutex_;
  CallBase* first_ = nullptr;
  CallBase** last_ = &first_;
  bool stopping_ = false;

  // Used on the loop's thread only.
  std::multimap<SteadyClock::time_point, LoopTimer*> timers_;
  std::unordered_map<std::uint64_t, Entry> watched_;
  std::uint64_t next_watch_ = 1;
  std::thread thread_;
};

}  // namespace onceproxy::store
