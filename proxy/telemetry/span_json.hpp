// Spans as a collector takes them: OTLP 1.0 over HTTP in its JSON encoding (the ProtoJSON of
// opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest, with ids in hexadecimal).
// Written by hand, since every traced request has spans: json_text.hpp has what that is measured
// against. Private to this folder. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/span.hpp"

namespace onceproxy::telemetry {

/// Longer texts are cut: a client says how long its path is, and a span is to stay small.
inline constexpr std::size_t span_text_bytes_max = 1024;

/// Appends one span as a JSON object, whatever bytes its texts hold.
void append_span(std::string& out, const Span& span);

/// What stands before the spans of an export request: who they come from. Behind them comes
/// `spans_end`, between them a comma.
std::string spans_begin(std::string_view service_name, std::string_view version);
inline constexpr std::string_view spans_end = "]}]}]}";

/// How many spans a collector says in its answer that it did not take (partialSuccess). What it
/// says in any other way than OTLP's counts as none.
std::uint64_t rejected_spans(std::string_view answer);

}  // namespace onceproxy::telemetry
