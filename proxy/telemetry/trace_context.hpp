// Trace context: the position of a request in a distributed trace, as in the field traceparent (W3C
// Trace Context, levels 1 and 2), and the choice of sampled traces. tracestate belongs to other
// vendors and is not read.
//
// Pure; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::telemetry {

/// 128 bits; not all zero in a valid trace.
struct TraceId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const TraceId&) const = default;
  explicit operator bool() const { return (high | low) != 0; }
};

/// Zero if there is no span.
using SpanId = std::uint64_t;

struct TraceContext {
  TraceId trace;
  SpanId span = 0;
  bool sampled = false;
  /// Level 2: whether the last 56 bits of the trace's id are random, so that samplers may use them.
  bool random = false;

  bool operator==(const TraceContext&) const = default;
};

/// Returns nothing if the value is not exactly as the recommendation requires (3.2.2, 4.3). The
/// trace then begins here, and the received tracestate is not used. Versions above 00 are read like
/// version 00.
std::optional<TraceContext> parse_traceparent(std::string_view value);

inline constexpr std::size_t traceparent_bytes = 55;

/// Writes version 00. Unknown flags are not passed on (3.2.2.5.3).
std::array<char, traceparent_bytes> write_traceparent(const TraceContext& context);

/// 32 and 16 lower-case hexadecimal digits.
void append_hex(std::string& out, const TraceId& trace);
void append_hex(std::string& out, SpanId span);

/// Selects a share of all traces, the same ones in every process: OpenTelemetry's consistent
/// probability sampling, by the last 56 bits of the trace's id.
class SampleRatio {
 public:
  /// From 0 for none to 1 for all.
  explicit SampleRatio(double ratio);
  bool takes(const TraceId& trace) const { return (trace.low & random_bits) >= threshold_; }

 private:
  static constexpr std::uint64_t random_bits = (std::uint64_t{1} << 56) - 1;
  std::uint64_t threshold_;
};

}  // namespace onceproxy::telemetry
