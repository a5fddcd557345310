// EventLoop: one thread's rounds on a boost::asio::io_context.
//
// A round is: wait for events and hear of them, 64 at most (streams read), make the writes of the
// round before together, and run what was deferred (requests go on). Each phase stays in its part
// of the caches, and a peer that gets several writes is woken once instead of for each. Before the
// writes the sockets are looked at, so that a write knows what its peer has done until then.
//
// Thread-safety: post() and stop() from any thread; everything else, and every socket, timer and
// acceptor on context(), on the loop's thread, or before run(): the reactor takes no locks for them
// (BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO).
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <utility>

#include "proxy/io/deadline.hpp"
#include "proxy/io/socket.hpp"

namespace onceproxy::io {

class EventLoop {
 public:
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

  /// A write that is made in the next round, once its events are heard. Forgotten when destroyed.
  class Writing : public Hook<WritingTag> {
   public:
    /// True: written() is wanted, after the writes of the others.
    virtual bool write_now() = 0;
    virtual void written() = 0;

   protected:
    ~Writing() = default;
  };

  /// Runs whenever a round is over; `quiet`: nothing had happened. False: something is held back
  /// for as long as there are events, so the next wait must not last.
  using OnRound = std::function<bool(bool quiet)>;

  /// `on_tick` runs every Deadlines::tick, after the deadlines. Throws boost::system::system_error
  /// when the kernel has no descriptors left.
  EventLoop(std::function<void()> on_tick, OnRound on_round);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// What sockets, acceptors and timers are made on. Whatever runs as a handler calls woke() first.
  asio::io_context& context() { return context_; }
  void woke() {
    if (std::exchange(asleep_, false)) note_time();
    if (++heard_ == round_max) context_.stop();
  }

  void defer(Deferred& deferred) {
    if (!deferred.Hook<DeferredTag>::is_linked()) deferred_.push_back(deferred);
  }
  /// The same, but runs it in the current round, after the functions that are deferred already and
  /// before the sockets are checked again. This is for the steps inside one connection between a
  /// read and the write that follows. If such functions defer others too often, the rest waits for
  /// the next round.
  void defer_soon(Deferred& deferred) {
    if (!deferred.Hook<DeferredTag>::is_linked()) soon_.push_back(deferred);
  }
  void write_later(Writing& writing) {
    if (!writing.Hook<WritingTag>::is_linked()) writings_.push_back(writing);
  }
  Deadlines& deadlines() { return deadlines_; }

  /// Runs `task` on the loop's thread, soon, in the order of the calls.
  template <typename Task>
  void post(Task task) {
    asio::post(context_, [this, task = std::move(task)]() mutable {
      woke();
      task();
    });
  }
  void stop();

  /// Returns after stop().
  void run();
  /// When the events at hand came.
  std::chrono::steady_clock::time_point now() const { return now_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
  template <typename Of, typename Tag>
  using List = boost::intrusive::list<Of, boost::intrusive::base_hook<Hook<Tag>>,
                                      boost::intrusive::constant_time_size<false>>;
  /// A round's calls to the store begin when it is over: it must not last.
  static constexpr std::size_t round_max = 64;
  /// The maximum number of passes over such functions in one round.
  static constexpr int soon_max = 8;

  bool hear_events(bool may_wait);
  void run_deferred();
  static void run_all(List<Deferred, DeferredTag>& deferred);
  void write_all();
  void wait_for_tick();
  void note_time();

  asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  Timer ticker_{context_.get_executor()};
  const std::function<void()> on_tick_;
  const OnRound on_round_;
  Deadlines deadlines_;
  List<Deferred, DeferredTag> deferred_;
  List<Deferred, DeferredTag> soon_;
  List<Writing, WritingTag> writings_;
  Clock::time_point now_ = Clock::now();
  /// Waited, and noted no time since.
  bool asleep_ = false;
  /// Of this round: handlers that ran, and the ticks among them.
  std::size_t heard_ = 0;
  std::size_t ticks_ = 0;
  bool stopped_ = false;
};

}  // namespace onceproxy::io
