// BufferBudget: limits the memory of all bodies that are still arriving, for all workers together.
// Each of these bodies has a Share in the budget. When all shares together exceed the limit, the
// slowest one is shed: its holder must free the bytes. Therefore a few slow clients do not affect
// others.
//
// The slowest share is the one with the smallest part of recently received bytes. A body that
// arrives quickly and then stalls soon becomes slower than one that arrives steadily, regardless of
// their sizes.
//
// It needs a lock when a share begins and ends, two atomic operations and two logarithms when a
// share grows, and a walk over all shares when one is shed. Requests without a share cost nothing.
//
// Thread-safety: the budget is shared by all workers. A Share belongs to its worker's thread.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>

#include "proxy/io/event_loop.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

class BufferBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The owner of shares of one thread.
  class Holder {
   public:
    /// Some of its shares were shed and may wait for bytes. It must call cancel_shed() soon, on its
    /// own thread. This is called on any thread with the budget's lock held, so it must only post.
    virtual void shares_shed() = 0;

   protected:
    ~Holder() = default;
  };

  /// The view of one worker on the budget.
  class Account {
   public:
    /// `holder` is notified when shares of the worker are shed. All arguments must outlive the
    /// account.
    Account(BufferBudget& budget, Holder& holder, telemetry::WorkerMetrics& metrics,
            const io::EventLoop& loop)
        : budget_(budget), holder_(holder), metrics_(metrics), loop_(loop) {}

    /// The worker's clock.
    Time now() const { return loop_.now(); }
    /// The owner of a shed share has noticed this.
    void count_shed() const { metrics_.shed(budget_.what_); }

   private:
    friend class BufferBudget;
    BufferBudget& budget_;
    Holder& holder_;
    telemetry::WorkerMetrics& metrics_;
    const io::EventLoop& loop_;
  };

  /// The share of one body.
  class Share : public boost::intrusive::list_base_hook<> {
   public:
    /// Both must outlive the share. `from`: the stream of the body; a wait on it is cancelled when
    /// the share is shed.
    Share(const Account& account, io::Stream& from) : Share(account, [&from] { from.cancel(); }) {}
    /// `cancel` ends a wait for more bytes when the share is shed. It is called on the share's
    /// thread, once or more, and must not destroy the share. If it is empty, the bytes count, but
    /// the share is never shed; others are shed instead.
    Share(const Account& account, std::function<void()> cancel);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// `arrived` more bytes have arrived, and the body uses `held` bytes of memory now. Returns
    /// false if the share was shed, now or earlier: its owner must free the bytes and end the share
    /// before it awaits anything else.
    bool grow(std::size_t arrived, std::size_t held, Time now);
    bool shed() const { return shed_.load(std::memory_order_relaxed); }

   private:
    friend class BufferBudget;

    BufferBudget& budget_;
    Holder& holder_;
    telemetry::WorkerMetrics& metrics_;
    const std::function<void()> cancel_;
    /// The value in the metrics; used by its worker only.
    std::size_t counted_ = 0;
    double arrived_ = 0;
    /// The same, if each byte counts half as much after each half-life.
    double recent_ = 0;
    Time at_{};
    /// The value in the budget's sum.
    std::atomic<std::size_t> held_ = 0;
    /// A larger value means faster. It is the logarithm of the part that arrived recently. All
    /// shares decay equally, so the value is stored as of the beginning of the clock.
    std::atomic<double> speed_ = 0;
    std::atomic<bool> shed_ = false;
  };

  /// `what`: the name in the metrics. The budget is empty before set_limit().
  explicit BufferBudget(telemetry::Buffered what) : what_(what) {}

  /// If the limit is lowered, shares are shed when the next one grows.
  void set_limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }
  std::size_t bytes() const { return bytes_.load(); }

  /// Cancels the waits of `holder`'s shed shares. Called on the holder's thread.
  void cancel_shed(const Holder& holder);

 private:
  void shed_slowest();

  const telemetry::Buffered what_;
  std::atomic<std::size_t> bytes_max_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
  std::mutex mutex_;
  boost::intrusive::list<Share> shares_;
};

}  // namespace onceproxy::http
