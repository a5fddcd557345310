#include "proxy/telemetry/span_queue.hpp"

#include <utility>

namespace onceproxy::telemetry {

void SpanQueue::count(std::size_t bytes) {
  bytes_ = bytes;
  full_.store(closed_ || bytes_ >= bytes_max_, std::memory_order_relaxed);
}

bool SpanQueue::hand_over(SpanBatch& batch) {
  const std::size_t size = batch.json.size();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || bytes_ + size > bytes_max_) {
      // A smaller one might still fit, but not many of them. What is there will be taken, and says
      // then that there is room again.
      if (bytes_ > 0) full_.store(true, std::memory_order_relaxed);
      batch.json.clear();
      batch.spans = 0;
      return false;
    }
    waiting_bytes_ += size;
    count(bytes_ + size);
    batches_.push_back(std::exchange(batch, {}));
    wake = waiting_bytes_ >= wanted_bytes_;
  }
  if (wake) changed_.notify_one();
  batch.json.reserve(size);
  return true;
}

bool SpanQueue::take(SpanBatch& out, std::size_t bytes, std::chrono::milliseconds patience) {
  out.json.clear();
  out.spans = 0;
  std::unique_lock lock(mutex_);
  const auto wait_for = [&](std::size_t wanted, auto wait) {
    wanted_bytes_ = wanted;
    wait([&] { return closed_ || waiting_bytes_ >= wanted; });
  };
  wait_for(1, [&](auto enough) { changed_.wait(lock, enough); });
  if (batches_.empty()) return false;
  wait_for(bytes, [&](auto enough) { changed_.wait_for(lock, patience, enough); });
  wanted_bytes_ = 1;
  while (!batches_.empty() &&
         (out.spans == 0 || out.json.size() + batches_.front().json.size() <= bytes)) {
    SpanBatch& next = batches_.front();
    waiting_bytes_ -= next.json.size();
    if (out.spans == 0) {
      out = std::move(next);
    } else {
      out.json += next.json;
      out.spans += next.spans;
    }
    batches_.pop_front();
  }
  return true;
}

void SpanQueue::taken_care_of(const SpanBatch& batch) {
  const std::lock_guard lock(mutex_);
  count(bytes_ - batch.json.size());
}

void SpanQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    full_.store(true, std::memory_order_relaxed);
  }
  changed_.notify_all();
}

}  // namespace onceproxy::telemetry
