// BufferBudget: one bound, for all workers, on what bodies that are still arriving take in memory.
// Whoever keeps such a body has a Share in the budget. When all shares together grow above the
// bound, the slowest one is shed: its holder must let go of the bytes. So a few slow peers cost
// others nothing.
//
// The slowest is the one of whose bytes the smallest part has come lately: a body that came quickly
// and then stalls is soon slower than one that goes on arriving steadily, whatever their sizes.
//
// Costs a lock where a share begins and ends, two atomic operations and two logarithms where it
// grows, and a walk over all shares where one is shed. Requests without a share pay nothing.
//
// Thread-safety: the budget is shared by all workers. A Share belongs to its worker's thread.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <mutex>

#include "proxy/io/event_loop.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

class BufferBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Has shares of one thread.
  class Holder {
   public:
    /// Some of its shares were shed, and may wait for bytes: it calls cancel_shed() soon, on its
    /// own thread. Called from any thread, with the budget's lock: it must do no more than post.
    virtual void shares_shed() = 0;

   protected:
    ~Holder() = default;
  };

  /// The budget as one worker's requests use it.
  class Account {
   public:
    /// `holder` is told when shares of the worker are shed. All must outlive the account.
    Account(BufferBudget& budget, Holder& holder, telemetry::WorkerMetrics& metrics,
            const io::EventLoop& loop)
        : budget_(budget), holder_(holder), metrics_(metrics), loop_(loop) {}

    /// The worker's clock.
    Time now() const { return loop_.now(); }
    /// The owner of a share that was shed has noticed.
    void count_shed() const { metrics_.shed(budget_.what_); }

   private:
    friend class BufferBudget;
    BufferBudget& budget_;
    Holder& holder_;
    telemetry::WorkerMetrics& metrics_;
    const io::EventLoop& loop_;
  };

  /// One body's.
  class Share : public boost::intrusive::list_base_hook<> {
   public:
    /// Both must outlive the share. `from`: where the body comes from; what it awaits when the
    /// share is shed is cancelled.
    Share(const Account& account, io::Stream& from);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// `arrived` more bytes have come, and the body takes `held` bytes of memory now. False: it is
    /// shed, now or before: its owner must let go of the bytes, and end the share before it awaits
    /// anything else.
    bool grow(std::size_t arrived, std::size_t held, Time now);
    bool shed() const { return shed_.load(std::memory_order_relaxed); }

   private:
    friend class BufferBudget;

    BufferBudget& budget_;
    Holder& holder_;
    telemetry::WorkerMetrics& metrics_;
    io::Stream& from_;
    /// As the metrics know it; its worker's alone.
    std::size_t counted_ = 0;
    double arrived_ = 0;
    /// The same, each byte counting half as much after each half-life.
    double recent_ = 0;
    Time at_{};
    /// As the budget's sum knows it.
    std::atomic<std::size_t> held_ = 0;
    /// Greater: faster. The logarithm of the part that came lately; all sink alike as time goes by,
    /// so it is kept as it would be at the beginning of the clock.
    std::atomic<double> speed_ = 0;
    std::atomic<bool> shed_ = false;
  };

  /// `what`: as the metrics know it. Holds nothing before set_limit().
  explicit BufferBudget(telemetry::Buffered what) : what_(what) {}

  /// Shares shrink to a smaller bound when the next one grows.
  void set_limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }
  std::size_t bytes() const { return bytes_.load(); }

  /// Cancels what those of `holder` that are shed wait for. On the holder's thread.
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
