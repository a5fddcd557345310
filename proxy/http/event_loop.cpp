#include "proxy/http/event_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace onceproxy::http {

namespace {

int checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return descriptor;
}

}  // namespace

EventLoop::EventLoop(std::function<void()> on_tick, OnRound on_round)
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "cannot create an epoll descriptor")),
      wakeup_(
          checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "cannot create an event descriptor")),
      on_tick_(std::move(on_tick)),
      on_round_(std::move(on_round)),
      next_tick_(Clock::now() + Deadlines::tick) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event);
}

EventLoop::~EventLoop() {
  ::close(wakeup_);
  ::close(epoll_);
}

bool EventLoop::add(int descriptor, Source& source) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &source;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void EventLoop::remove(Source& source) {
  for (int i = batch_next_; i < batch_size_; ++i) {
    if (batch_[static_cast<std::size_t>(i)].data.ptr == &source) {
      batch_[static_cast<std::size_t>(i)].events = 0;
    }
  }
}

void EventLoop::post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock(posted_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first) wake();
}

void EventLoop::stop() {
  post([this] { stopped_ = true; });
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake already.
  [[maybe_unused]] const ssize_t written = ::write(wakeup_, &one, sizeof one);
}

int EventLoop::wait_milliseconds() const {
  if (!deferred_.empty() || !writings_.empty()) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - now_);
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
}

void EventLoop::run() {
  bool may_rest = true;
  while (!stopped_) {
    batch_size_ =
        ::epoll_wait(epoll_, batch_.data(), batch_max, may_rest ? wait_milliseconds() : 0);
    batch_size_ = std::max(batch_size_, 0);
    now_ = Clock::now();
    deadlines_.set_now(now_);
    dispatch();
    run_deferred();
    write_all();
    if (now_ >= next_tick_) tick();
    may_rest = on_round_(batch_size_ == 0);
  }
  on_round_(true);
}

void EventLoop::dispatch() {
  for (batch_next_ = 0; batch_next_ < batch_size_;) {
    const epoll_event event = batch_[static_cast<std::size_t>(batch_next_++)];
    if (event.data.ptr == nullptr) {
      run_posted();
    } else if (event.events != 0) {
      static_cast<Source*>(event.data.ptr)->ready(event.events);
    }
  }
}

void EventLoop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wakeup_, &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

/// What these defer in turn waits for the next round, so that sockets are looked at in between.
void EventLoop::run_deferred() {
  decltype(deferred_) now;
  now.swap(deferred_);
  while (!now.empty()) {
    Deferred& deferred = now.front();
    now.pop_front();
    deferred.run();
  }
}

/// What those that have written write next waits for the next round.
void EventLoop::write_all() {
  decltype(writings_) now;
  decltype(writings_) done;
  now.swap(writings_);
  while (!now.empty()) {
    Writing& writing = now.front();
    now.pop_front();
    if (writing.write_now()) done.push_back(writing);
  }
  while (!done.empty()) {
    Writing& writing = done.front();
    done.pop_front();
    writing.written();
  }
}

void EventLoop::tick() {
  now_ = Clock::now();
  next_tick_ = now_ + Deadlines::tick;
  deadlines_.run(now_);
  on_tick_();
  run_deferred();
}

}  // namespace onceproxy::http
