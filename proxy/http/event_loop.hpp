// EventLoop: one thread's epoll loop. Descriptors are registered once, for reading and writing,
// edge-triggered: a Source remembers what it was told, so that a read is tried only when there is
// something to read. Against Asio's reactor, which tries each read and usually learns that there is
// nothing yet, this saves two system calls of six on a forwarded request.
//
// Thread-safety: post() and stop() from any thread; everything else on the loop's thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "proxy/http/deadline.hpp"

namespace onceproxy::http {

class EventLoop {
 public:
  /// What a descriptor's events are told to. Must be removed before it is destroyed.
  class Source {
   public:
    /// `events` as epoll(7) gives them. Runs on the loop's thread; may destroy any source.
    virtual void ready(std::uint32_t events) = 0;

   protected:
    ~Source() = default;
  };

  /// Something to do once the events at hand are dealt with. Forgotten when destroyed.
  class Deferred : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    virtual void run() = 0;

   protected:
    ~Deferred() = default;
  };

  /// Runs whenever a batch of events is dealt with; `quiet`: there were none. False: something is
  /// held back for as long as there are events, so the next wait must not last.
  using OnRound = std::function<bool(bool quiet)>;

  /// `on_tick` runs every Deadlines::tick, after the deadlines. Throws std::system_error when the
  /// kernel has no descriptors left.
  EventLoop(std::function<void()> on_tick, OnRound on_round);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// False: the kernel refused (out of memory or watches).
  bool add(int descriptor, Source& source);
  /// No event of a batch under way reaches `source` any more. Its descriptor must be closed next.
  void remove(Source& source);
  void defer(Deferred& deferred) {
    if (!deferred.is_linked()) deferred_.push_back(deferred);
  }
  Deadlines& deadlines() { return deadlines_; }

  /// Runs `task` on the loop's thread, soon.
  void post(std::function<void()> task);
  void stop();

  /// Returns after stop().
  void run();
  /// When the events at hand came.
  std::chrono::steady_clock::time_point now() const { return now_; }

 private:
  using Clock = std::chrono::steady_clock;
  /// A round's calls to the store begin when it is over: it must not last.
  static constexpr int batch_max = 64;

  int wait_milliseconds() const;
  void dispatch();
  void run_posted();
  void run_deferred();
  void tick();
  void wake();

  const int epoll_;
  const int wakeup_;
  const std::function<void()> on_tick_;
  const OnRound on_round_;
  Deadlines deadlines_;
  boost::intrusive::list<Deferred, boost::intrusive::constant_time_size<false>> deferred_;

  std::array<epoll_event, batch_max> batch_;
  int batch_size_ = 0;
  int batch_next_ = 0;
  Clock::time_point now_ = Clock::now();
  Clock::time_point next_tick_;
  bool stopped_ = false;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace onceproxy::http
