// Span exporter: a thread that sends spans to the collector in batches, and retries with growing
// pauses. It delays no worker: spans that do not fit into the queue are dropped by the worker.
//
// Private to this folder. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "proxy/telemetry/span_queue.hpp"
#include "proxy/telemetry/span_transport.hpp"
#include "proxy/telemetry/tracer.hpp"

namespace onceproxy::telemetry {

class SpanExporter {
 public:
  SpanExporter(const TracerOptions& options, std::unique_ptr<SpanTransport> transport,
               SpanQueue& queue, TracerCounts counts);
  /// Sends the queued spans, for at most the options' stop_time; the rest counts as dropped.
  ~SpanExporter();

 private:
  using Clock = SpanTransport::Clock;

  void run();
  void deliver(const SpanBatch& batch);
  /// The time until the next attempt; nothing if there is none.
  std::optional<std::chrono::milliseconds> pause(const SpanReply& reply, int attempt,
                                                 Clock::time_point began);
  /// Waits, but no longer once the end has begun.
  void rest(std::chrono::milliseconds time);
  void delivered(const SpanBatch& batch, const SpanReply& reply);
  void failed(const SpanReply& reply);
  void lost(const SpanBatch& batch, std::string_view why);

  const TracerOptions options_;
  const std::string head_;
  const std::unique_ptr<SpanTransport> transport_;
  SpanQueue& queue_;
  const TracerCounts counts_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;

  // Used only by the thread.
  /// The last attempt failed, and this was logged.
  bool away_ = false;
  /// The number of spans that could not be sent since then.
  std::uint64_t lost_ = 0;
  std::thread thread_;
};

}  // namespace onceproxy::telemetry
