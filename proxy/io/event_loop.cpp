#include "proxy/io/event_loop.hpp"

namespace onceproxy::io {

EventLoop::EventLoop(std::function<void()> on_tick, OnRound on_round)
    : on_tick_(std::move(on_tick)), on_round_(std::move(on_round)) {}

void EventLoop::stop() {
  post([this] { stopped_ = true; });
}

void EventLoop::note_time() {
  now_ = Clock::now();
  deadlines_.set_now(now_);
}

void EventLoop::run() {
  wait_for_tick();
  bool may_rest = true;
  while (!stopped_) {
    const bool heard = hear_events(may_rest && deferred_.empty() && writings_.empty());
    run_deferred();
    write_all();
    may_rest = on_round_(!heard);
  }
  on_round_(true);
}

/// False: there were none but the tick.
bool EventLoop::hear_events(bool may_wait) {
  asleep_ = true;
  ticks_ = 0;
  // The ticker always waits: run_one() returns after a tick at the latest.
  std::size_t heard = may_wait ? context_.run_one() : context_.poll_one();
  woke();
  if (heard == 0) return false;
  while (heard < round_max && context_.poll_one() > 0) ++heard;
  return heard > ticks_;
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

void EventLoop::wait_for_tick() {
  ticker_.expires_after(Deadlines::tick);
  ticker_.async_wait([this](ErrorCode) {
    woke();
    ++ticks_;
    wait_for_tick();
    deadlines_.run(now_);
    on_tick_();
  });
}

}  // namespace onceproxy::io
