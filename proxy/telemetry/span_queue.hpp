// Span queue: encoded spans on their way from the workers to the exporter, bounded by their bytes.
// What does not fit is refused, and the caller counts it; no thread waits for room.
//
// Private to this folder. Thread-safe; take() and taken_care_of() are the exporter's alone.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace onceproxy::telemetry {

/// JSON objects, a comma behind each.
struct SpanBatch {
  std::string json;
  std::uint64_t spans = 0;
};

class SpanQueue {
 public:
  explicit SpanQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// No more is taken now, so that nothing need be encoded for it. May be a little late.
  bool full() const { return full_.load(std::memory_order_relaxed); }

  /// False: there was no room, or it is closed. Either way the batch is empty then, and keeps some
  /// memory to be filled again.
  bool hand_over(SpanBatch& batch);

  /// Waits for spans, and then no longer than `patience` for more of them, up to about `bytes`, and
  /// joins them. Once closed it waits no more; false: closed and empty.
  bool take(SpanBatch& out, std::size_t bytes, std::chrono::milliseconds patience);

  /// What take() gave is gone, and its room is free.
  void taken_care_of(const SpanBatch& batch);

  void close();

 private:
  /// Under the lock.
  void count(std::size_t bytes);

  const std::size_t bytes_max_;
  std::atomic<bool> full_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SpanBatch> batches_;
  /// Waiting, and with what was taken and is not yet taken care of.
  std::size_t waiting_bytes_ = 0;
  std::size_t bytes_ = 0;
  /// How much take() waits for; a worker wakes it for that alone.
  std::size_t wanted_bytes_ = 1;
  bool closed_ = false;
};

}  // namespace onceproxy::telemetry
