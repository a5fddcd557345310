// Span queue: encoded spans on their way from the workers to the exporter, limited by their size.
// Spans that do not fit are refused, and the caller counts them; no thread waits for room.
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

/// JSON objects, each followed by a comma.
struct SpanBatch {
  std::string json;
  std::uint64_t spans = 0;
};

class SpanQueue {
 public:
  explicit SpanQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Whether the queue is full, so that nothing need be encoded. It may be slightly out of date.
  bool full() const { return full_.load(std::memory_order_relaxed); }

  /// Returns false if there was no room, or if the queue is closed. In any case the batch is empty
  /// afterwards, and keeps some memory for the next spans.
  bool hand_over(SpanBatch& batch);

  /// Waits for spans, and then at most `patience` for more of them, up to about `bytes`, and joins
  /// them. Once closed it does not wait. Returns false if it is closed and empty.
  bool take(SpanBatch& out, std::size_t bytes, std::chrono::milliseconds patience);

  /// The result of take() has been processed, and its room is free.
  void taken_care_of(const SpanBatch& batch);

  void close();

 private:
  /// Protected by the lock.
  void count(std::size_t bytes);

  const std::size_t bytes_max_;
  std::atomic<bool> full_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SpanBatch> batches_;
  /// The size of waiting spans, with those that were taken and are not processed yet.
  std::size_t waiting_bytes_ = 0;
  std::size_t bytes_ = 0;
  /// The size for which take() waits; a worker wakes it only then.
  std::size_t wanted_bytes_ = 1;
  bool closed_ = false;
};

}  // namespace onceproxy::telemetry
