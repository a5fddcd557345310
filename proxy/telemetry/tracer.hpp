// Tracer: which requests are traced, and their spans on the way to a collector (OTLP over HTTP). A
// worker encodes into its own buffer; a thread sends whole batches. A collector that is slow or
// away costs the workers nothing: what the bounded queue cannot take is dropped and counted.
//
// It does not know what a request is (proxy/http/request_trace.hpp does).
// Thread-safety: Tracer is thread-safe; a Recorder belongs to one worker.
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

  /// What may wait for the exporter before spans are dropped.
  std::size_t queue_bytes_max = 8 * 1024 * 1024;
  /// A batch is sent when it is so large, or so old.
  std::size_t batch_bytes = 256 * 1024;
  std::chrono::milliseconds batch_delay{1'000};
  std::chrono::milliseconds send_timeout{10'000};
  /// Between two attempts; doubles from the one to the other.
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{30'000};
  /// A batch that was not accepted for so long is dropped.
  std::chrono::milliseconds retry_time{300'000};
  /// How long the end may take.
  std::chrono::milliseconds stop_time{2'000};
};

/// What became of spans, for the metrics. Called from the workers' threads and the exporter's.
struct TracerCounts {
  std::function<void(std::uint64_t)> exported;
  std::function<void(std::uint64_t)> dropped;
};

class Tracer {
 public:
  /// Throws std::runtime_error where the endpoint is not a URL.
  Tracer(const TracerOptions& options, TracerCounts counts);
  Tracer(const TracerOptions& options, TracerCounts counts,
         std::unique_ptr<SpanTransport> transport);
  /// Sends what is queued, for a bounded time. Recorders are gone by now.
  ~Tracer();

  class Recorder {
   public:
    /// The context of a request that comes with `parent`, or with none: its span's own id, and
    /// whether it is recorded. One whose parent is not sampled keeps the parent's context as it is.
    TraceContext begin(const std::optional<TraceContext>& parent);
    /// A step within `context`: the same trace, a span of its own.
    TraceContext step(const TraceContext& context);
    /// Only for what is sampled.
    void record(const Span& span);
    /// Hands what is encoded to the exporter; a worker calls it a few times a second.
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
