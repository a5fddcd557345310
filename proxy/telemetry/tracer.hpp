// Tracer: decides which requests are traced, and passes their spans to a collector (OTLP over
// HTTP). A worker encodes into its own buffer, and a thread sends whole batches. A slow or
// unreachable collector does not delay the workers: spans that do not fit into the limited queue
// are dropped and counted.
//
// It does not know requests (see proxy/http/request_trace.hpp). Thread-safety: Tracer is
// thread-safe; a Recorder belongs to one worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/telemetry/options.hpp"
#include "proxy/telemetry/span.hpp"
#include "proxy/telemetry/trace_context.hpp"

namespace onceproxy::telemetry {

class SpanTransport;

struct TracerOptions : TracingOptions {
  std::string version;

  /// The largest size of spans that wait for the exporter.
  std::size_t queue_bytes_max = 8 * 1024 * 1024;
  /// A batch is sent when it has this size or this age.
  std::size_t batch_bytes = 256 * 1024;
  std::chrono::milliseconds batch_delay{1'000};
  std::chrono::milliseconds send_timeout{10'000};
  /// The pause between two attempts; it doubles from the first value to the second.
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{30'000};
  /// A batch that was not accepted for this time is dropped.
  std::chrono::milliseconds retry_time{300'000};
  /// How long the shutdown may take.
  std::chrono::milliseconds stop_time{2'000};
};

/// The results for spans, for the metrics. Called by the workers' threads and the exporter's.
struct TracerCounts {
  std::function<void(std::uint64_t)> exported;
  std::function<void(std::uint64_t)> dropped;
};

class Tracer {
 public:
  /// Throws std::runtime_error if the endpoint is not a URL.
  Tracer(const TracerOptions& options, TracerCounts counts);
  Tracer(const TracerOptions& options, TracerCounts counts,
         std::unique_ptr<SpanTransport> transport);
  /// Sends the queued spans, for a limited time. All recorders must have been destroyed.
  ~Tracer();

  class Recorder {
   public:
    /// The context of a request with the parent `parent`, or without one: the id of its span, and
    /// whether it is recorded. If the parent is not sampled, the request keeps the parent's context
    /// unchanged.
    TraceContext begin(const std::optional<TraceContext>& parent);
    /// A step within `context`: the same trace, with another span.
    TraceContext step(const TraceContext& context);
    /// Only for sampled contexts.
    void record(const Span& span);
    /// Passes the encoded spans to the exporter; a worker calls it a few times a second.
    void flush();
    ~Recorder();

   private:
    friend class Tracer;
    struct State;
    explicit Recorder(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  std::unique_ptr<Recorder> add_recorder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::telemetry
