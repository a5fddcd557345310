// AttemptTrace: an attempt as a span of the trace that its event's request belonged to, and what
// the listener is told of that trace. Where the request was not sampled it does nothing, and the
// listener gets the trace context that the request came with.
// Not thread-safe: the engine's loop.
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
  /// Begins now. `recorder`: null where nothing is traced.
  AttemptTrace(telemetry::Tracer::Recorder* recorder, const store::Event& event);

  /// For the listener; empty where the attempt is not traced.
  std::string_view traceparent() const;

  /// The attempt has ended. `status`: of its answer; 0: there was none.
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
