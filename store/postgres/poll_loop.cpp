#include "store/postgres/poll_loop.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace onceproxy::store {
namespace {

class Posted final : public CallBase {
 public:
  explicit Posted(std::function<void()> task) : task_(std::move(task)) {
    resume = [](CallBase& base) {
      const std::unique_ptr<Posted> self(static_cast<Posted*>(&base));
      self->task_();
    };
  }

 private:
  const std::function<void()> task_;
};

}  // namespace

void post(Loop& loop, std::function<void()> task) {
  loop.deliver(new Posted(std::move(task)));  // deletes itself
}

class PollLoop::LoopTimer final : public Timer {
 public:
  LoopTimer(PollLoop& loop, SteadyClock::time_point at, std::function<void()> told)
      : expired(std::move(told)), loop_(loop), place_(loop.timers_.emplace(at, this)) {}
  ~LoopTimer() override {
    if (waits_) loop_.timers_.erase(place_);
  }
  void leave() { waits_ = false; }

  std::function<void()> expired;

 private:
  PollLoop& loop_;
  const std::multimap<SteadyClock::time_point, LoopTimer*>::iterator place_;
  bool waits_ = true;
};

class PollLoop::Watched final : public SocketWatch {
 public:
  Watched(PollLoop& loop, std::uint64_t number) : loop_(loop), number_(number) {}
  ~Watched() override { loop_.watched_.erase(number_); }
  void want_write(bool wanted) override { loop_.watched_.at(number_).writing = wanted; }

 private:
  PollLoop& loop_;
  const std::uint64_t number_;
};

PollLoop::PollLoop() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  woken_ = ends[0];
  wake_ = ends[1];
  thread_ = std::thread([this] { run(); });
}

PollLoop::~PollLoop() {
  stop();
  ::close(woken_);
  ::close(wake_);
}

void PollLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_up();
  if (thread_.joinable()) thread_.join();
}

void PollLoop::wake_up() {
  // If the pipe is full, the loop is woken anyway.
  const char one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void PollLoop::deliver(CallBase* first) noexcept {
  CallBase* last = first;
  while (last->next != nullptr) last = last->next;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = first_ == nullptr;
    *last_ = first;
    last_ = &last->next;
  }
  if (wake) wake_up();
}

std::unique_ptr<Timer> PollLoop::timer(std::chrono::milliseconds after,
                                       std::function<void()> expired) {
  return std::make_unique<LoopTimer>(*this, SteadyClock::now() + after, std::move(expired));
}

std::unique_ptr<SocketWatch> PollLoop::watch(int descriptor, std::function<void()> ready) {
  const std::uint64_t number = next_watch_++;
  watched_.emplace(number, Entry{descriptor, false, std::move(ready)});
  return std::make_unique<Watched>(*this, number);
}

void PollLoop::run() {
  for (;;) {
    run_delivered();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && first_ == nullptr) return;
    }
    run_timers();
    wait();
  }
}

void PollLoop::run_delivered() {
  CallBase* call = nullptr;
  {
    const std::lock_guard lock(mutex_);
    call = std::exchange(first_, nullptr);
    last_ = &first_;
  }
  while (call != nullptr) {
    CallBase* const next = std::exchange(call->next, nullptr);
    call->resume(*call);
    call = next;
  }
}

/// Runs the timers that are due now. Timers that they start wait for the next round.
void PollLoop::run_timers() {
  const auto now = SteadyClock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    LoopTimer* const timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->leave();
    const auto expired = std::exchange(timer->expired, nullptr);  // it may destroy the timer
    expired();
  }
}

void PollLoop::wait() {
  int timeout = -1;
  if (!timers_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - SteadyClock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  std::vector<pollfd> sockets{{woken_, POLLIN, 0}};
  std::vector<std::uint64_t> numbers{0};
  for (const auto& [number, entry] : watched_) {
    sockets.push_back(
        {entry.descriptor, static_cast<short>(POLLIN | (entry.writing ? POLLOUT : 0)), 0});
    numbers.push_back(number);
  }
  if (::poll(sockets.data(), sockets.size(), timeout) <= 0) return;
  if (sockets[0].revents != 0) {
    char ignored[256];
    while (::read(woken_, ignored, sizeof ignored) == sizeof ignored) continue;
  }
  for (std::size_t i = 1; i < sockets.size(); ++i) {
    if (sockets[i].revents == 0) continue;
    const auto found = watched_.find(numbers[i]);
    if (found == watched_.end()) continue;
    const auto ready = found->second.ready;  // it may destroy the watch
    ready();
  }
}

}  // namespace onceproxy::store
