// RequestTrace: one request in a distributed trace. It continues the client's trace or begins a new
// one, writes the fields for the upstream, and records the spans: the request (server), and within
// it reserve, the forward (client) and settle. Names and attributes follow OpenTelemetry's semantic
// conventions for HTTP; attributes that only onceproxy knows begin with "onceproxy.".
//
// If tracing is off, or this request is not sampled, it reads no clock and allocates nothing. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "policies/policy.hpp"
#include "proxy/http/forward_record.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/head_writer.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/tracer.hpp"

namespace onceproxy::http {

enum class TraceMark { reserve_begins, reserve_ends, forward_begins, settle_begins, settle_ends };

class RequestTrace {
 public:
  using Clock = std::chrono::steady_clock;

  /// `recorder`: nullptr if tracing is off. `traceparent`: the request's own, or empty.
  RequestTrace(telemetry::Tracer::Recorder* recorder, std::string_view traceparent);

  bool sampled() const { return context_.sampled; }
  /// The trace's id as 32 digits; empty if tracing is off.
  std::string_view id() const;
  /// The context of the request's own span; without a trace if tracing is off.
  const telemetry::TraceContext& context() const { return context_; }

  /// Records the current time.
  void mark(TraceMark mark) {
    if (sampled()) moments_[static_cast<std::size_t>(mark)] = Clock::now();
  }
  /// The forward begins: from now on fields() contains its span.
  void begin_forward();
  TraceFields fields() const;

  /// A value that is stored with the operation, so that its duplicates can link to this request:
  /// its own span, as a traceparent. Empty unless the request is sampled.
  std::string for_duplicates() const;
  /// The request whose answer is replayed, as the value of its for_duplicates().
  void link(std::string_view original);

  /// A request that has ended.
  struct Ending {
    const telemetry::AccessRecord& record;
    const ForwardRecord& forward;
    const Setup& setup;
    const RequestHead& head;
    /// Whether the client used TLS.
    bool secure;
    /// nullptr if no policy covers it.
    const policies::Policy* policy;
    Clock::time_point began;
    Clock::time_point ended;
    std::chrono::system_clock::time_point wall_ended;
  };
  /// Records the spans, if the request is sampled. Called once.
  void record(const Ending& ending) const;

 private:
  Clock::time_point at(TraceMark mark) const { return moments_[static_cast<std::size_t>(mark)]; }
  bool reached(TraceMark mark) const { return at(mark) != Clock::time_point(); }
  void record_request(const Ending& ending) const;
  void record_step(std::string_view name, TraceMark begins, TraceMark ends,
                   const Ending& ending) const;
  void record_forward(const Ending& ending) const;
  Clock::time_point forward_ended(const Ending& ending) const;

  telemetry::Tracer::Recorder* const recorder_;
  telemetry::TraceContext context_;
  telemetry::TraceContext forward_;
  telemetry::TraceContext original_;
  /// The parent span of the request; 0 if it has none and began its trace.
  telemetry::SpanId parent_ = 0;
  std::array<char, telemetry::traceparent_bytes> text_;
  std::array<Clock::time_point, 5> moments_{};
};

}  // namespace onceproxy::http
