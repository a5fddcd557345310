// Span exporter: the thread that brings spans to the collector, in batches, and tries again with
// growing pauses while they are not accepted. It delays no worker: what does not fit into the queue
// meanwhile is dropped by the worker that hands it over.
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
  /// Sends what is queued, for no longer than the options' stop_time; the rest counts as dropped.
  ~SpanExporter();

 private:
  using Clock = SpanTransport::Clock;

  void run();
  void deliver(const SpanBatch& batch);
  /// How long until the next attempt; nothing where there is none.
  std::optional<std::chrono::milliseconds> pause(const SpanReply& reply, int attempt,
                                                 Clock::time_point began);
  /// Waits, and not on once the end has come.
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

  // The thread's own.
  /// The last attempt failed, and that is in the log.
  bool away_ = false;
  /// Of the spans that could not be sent since then.
  std::uint64_t lost_ = 0;
  std::thread thread_;
};

}  // namespace onceproxy::telemetry
