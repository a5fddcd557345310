// EventLoop: one thread's epoll loop. Descriptors are registered once, for reading and writing,
// edge-triggered: a Source remembers what it was told, so that a read is tried only when there is
// something to read. Against Asio's reactor, which tries each read and usually learns that there is
// nothing yet, this saves two system calls of six on a forwarded request.
//
// A round is: wait, tell the sources what happened (they read), run what was deferred (requests go
// on), and make the round's writes together. Each phase stays in its part of the caches, and who is
// written to wakes once for several writes instead of for each.
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

  struct DeferredTag;
  struct WritingTag;
  template <typename Tag>
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  /// Something to do once the events at hand are dealt with. Forgotten when destroyed.
  class Deferred : public Hook<DeferredTag> {
   public:
    virtual void run() = 0;

   protected:
    ~Deferred() = default;
  };

  /// A write that is made at the end of the round. Forgotten when destroyed.
  class Writing : public Hook<WritingTag> {
   public:
    /// True: written() is wanted, after the writes of the others.
    virtual bool write_now() = 0;
    virtual void written() = 0;

   protected:
    ~Writing() = default;
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
    if (!deferred.Hook<DeferredTag>::is_linked()) deferred_.push_back(deferred);
  }
  void write_later(Writing& writing) {
    if (!writing.Hook<WritingTag>::is_linked()) writings_.push_back(writing);
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
  template <typename Of, typename Tag>
  using List = boost::intrusive::list<Of, boost::intrusive::base_hook<Hook<Tag>>,
                                      boost::intrusive::constant_time_size<false>>;
  /// A round's calls to the store begin when it is over: it must not last.
  static constexpr int batch_max = 64;

  int wait_milliseconds() const;
  void dispatch();
  void run_posted();
  void run_deferred();
  void write_all();
  void tick();
  void wake();

  const int epoll_;
  const int wakeup_;
  const std::function<void()> on_tick_;
  const OnRound on_round_;
  Deadlines deadlines_;
  List<Deferred, DeferredTag> deferred_;
  List<Writing, WritingTag> writings_;

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
