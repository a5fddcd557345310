#include "proxy/telemetry/span_json.hpp"

#include <charconv>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

/// OTLP's SpanFlags: beside W3C's flags, whether it is known that the parent is remote, and that.
constexpr std::int64_t flag_sampled = 1;
constexpr std::int64_t flag_random = 2;
constexpr std::int64_t flag_remote_known = 0x100;
constexpr std::int64_t flag_remote = 0x200;

std::int64_t flags_of(const TraceContext& context) {
  return (context.sampled ? flag_sampled : 0) | (context.random ? flag_random : 0);
}

/// At most span_text_bytes_max bytes, not ending inside a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= span_text_bytes_max) return text;
  std::size_t end = span_text_bytes_max;
  while (end > span_text_bytes_max - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end);
}

void append_time(std::string& out, std::chrono::system_clock::time_point time) {
  out += '"';
  append_number(
      out, std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
  out += '"';
}

void append_text_attribute(std::string& out, std::string_view name, std::string_view value) {
  out.append("{\"key\":\"").append(name).append("\",\"value\":{\"stringValue\":");
  append_json_string(out, cut(value));
  out += "}}";
}

void append_attribute(std::string& out, const SpanAttributes::Attribute& attribute) {
  if (const auto* text = std::get_if<std::string_view>(&attribute.value)) {
    append_text_attribute(out, attribute.name, *text);
    return;
  }
  // ProtoJSON writes 64 bits as text, since a double does not hold them.
  out.append("{\"key\":\"").append(attribute.name).append("\",\"value\":{\"intValue\":\"");
  append_number(out, std::get<std::int64_t>(attribute.value));
  out += "\"}}";
}

void append_attributes(std::string& out, const SpanAttributes& attributes) {
  if (attributes.begin() == attributes.end()) return;
  out += ",\"attributes\":[";
  for (const SpanAttributes::Attribute& attribute : attributes) {
    if (&attribute != attributes.begin()) out += ',';
    append_attribute(out, attribute);
  }
  out += ']';
}

void append_link(std::string& out, const TraceContext& link) {
  if (!link.trace) return;
  out += ",\"links\":[{\"traceId\":\"";
  append_hex(out, link.trace);
  out += "\",\"spanId\":\"";
  append_hex(out, link.span);
  out += "\",\"flags\":";
  append_number(out, flags_of(link));
  out += "}]";
}

void append_status(std::string& out, const Span& span) {
  if (!span.failed) return;
  out += ",\"status\":{\"code\":2";
  if (!span.error.empty()) {
    out += ",\"message\":";
    append_json_string(out, cut(span.error));
  }
  out += '}';
}

}  // namespace

void append_span(std::string& out, const Span& span) {
  out += "{\"traceId\":\"";
  append_hex(out, span.context.trace);
  out += "\",\"spanId\":\"";
  append_hex(out, span.context.span);
  if (span.parent != 0) {
    out += "\",\"parentSpanId\":\"";
    append_hex(out, span.parent);
  }
  out += "\",\"flags\":";
  append_number(
      out, flags_of(span.context) | flag_remote_known | (span.parent_remote ? flag_remote : 0));
  out += ",\"name\":";
  append_json_string(out, cut(span.name));
  out += ",\"kind\":";
  append_number(out, static_cast<std::int64_t>(span.kind));
  out += ",\"startTimeUnixNano\":";
  append_time(out, span.begin);
  out += ",\"endTimeUnixNano\":";
  append_time(out, span.end);
  append_attributes(out, span.attributes);
  append_link(out, span.link);
  append_status(out, span);
  out += '}';
}

std::string spans_begin(std::string_view service_name, std::string_view version) {
  std::string out = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
  append_text_attribute(out, "service.name", service_name);
  out += ',';
  append_text_attribute(out, "service.version", version);
  out += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"onceproxy\",\"version\":";
  append_json_string(out, version);
  out += "},\"spans\":[";
  return out;
}

std::uint64_t rejected_spans(std::string_view answer) {
  constexpr std::string_view name = "\"rejectedSpans\"";
  const std::size_t at = answer.find(name);
  if (at == std::string_view::npos) return 0;
  answer.remove_prefix(at + name.size());
  // A colon, and the number with or without quotes.
  const std::size_t begin = answer.find_first_not_of(" \t\r\n:\"");
  if (begin == std::string_view::npos) return 0;
  std::uint64_t count = 0;
  std::from_chars(answer.data() + begin, answer.data() + answer.size(), count);
  return count;
}

}  // namespace onceproxy::telemetry
