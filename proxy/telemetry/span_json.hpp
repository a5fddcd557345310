// Encodes spans for a collector: OTLP 1.0 over HTTP in its JSON encoding (the ProtoJSON of
// opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest, with ids in hexadecimal). It is
// written by hand, since every traced request has spans; json_text.hpp has the comparison. Private
// to this folder. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/span.hpp"

namespace onceproxy::telemetry {

/// Longer texts are cut off: a client controls the length of its path, and a span should stay
/// small.
inline constexpr std::size_t span_text_bytes_max = 1024;

/// Appends one span as a JSON object; its texts may contain any bytes.
void append_span(std::string& out, const Span& span);

/// The beginning of an export request, with the source of the spans. `spans_end` is its end; spans
/// are separated by commas.
std::string spans_begin(std::string_view service_name, std::string_view version);
inline constexpr std::string_view spans_end = "]}]}]}";

/// The number of spans that a collector rejected according to its answer (partialSuccess). An
/// answer in another format than OTLP's counts as none.
std::uint64_t rejected_spans(std::string_view answer);

}  // namespace onceproxy::telemetry
