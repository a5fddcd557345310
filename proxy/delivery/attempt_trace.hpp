// AttemptTrace: the span of one attempt, in the trace of the event's request, and the trace context
// that the listener gets. If the request was not sampled, no span is recorded, and the listener
// gets the trace context of the request. Not thread-safe: used on the engine's loop.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/tracer.hpp"
#include "store/event.hpp"

namespace onceproxy::delivery {

class AttemptTrace {
 public:
  /// The span begins now. `recorder`: nullptr if tracing is off.
  AttemptTrace(telemetry::Tracer::Recorder* recorder, const store::Event& event);

  /// The value of traceparent for the listener; empty if the attempt is not traced.
  std::string_view traceparent() const;

  /// Records the span of an attempt that has ended. `status`: of the answer; 0 if there was no
  /// answer.
  void record(const store::Event& event, std::string_view listener, std::uint32_t number,
              int status, store::DeliveryState became, std::string_view error) const;

 private:
  bool traced() const { return recorder_ != nullptr; }

  telemetry::Tracer::Recorder* recorder_;
  telemetry::TraceContext parent_;
  telemetry::TraceContext context_;
  std::array<char, telemetry::traceparent_bytes> text_{};
  std::chrono::system_clock::time_point began_;
};

}  // namespace onceproxy::delivery
