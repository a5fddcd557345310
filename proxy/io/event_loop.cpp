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
    const bool nothing_left = deferred_.empty() && soon_.empty() && writings_.empty();
    const bool heard = hear_events(may_rest && nothing_left);
    write_all();
    run_deferred();
    may_rest = on_round_(!heard);
  }
  on_round_(true);
}

/// False: there were none but the tick.
bool EventLoop::hear_events(bool may_wait) {
  asleep_ = true;
  heard_ = ticks_ = 0;
  // The ticker always waits: run_one() returns after a tick at the latest.
  if (may_wait) context_.run_one();
  if (std::exchange(asleep_, false)) note_time();
  // By itself it would go on for as long as there are events: whoever is the last of a round stops
  // it.
  context_.poll();
  if (context_.stopped()) context_.restart();
  return heard_ > ticks_;
}

/// Functions that are deferred during the loop are not included.
void EventLoop::run_all(List<Deferred, DeferredTag>& deferred) {
  List<Deferred, DeferredTag> now;
  now.swap(deferred);
  while (!now.empty()) {
    Deferred& next = now.front();
    now.pop_front();
    next.run();
  }
}

/// Functions that are deferred meanwhile run in the next round, so that sockets are checked in
/// between.
void EventLoop::run_deferred() {
  run_all(deferred_);
  for (int i = 0; i < soon_max && !soon_.empty(); ++i) run_all(soon_);
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
