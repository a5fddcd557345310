#include "proxy/telemetry/trace_context.hpp"

#include <algorithm>
#include <cmath>

#include "store/hex.hpp"

namespace onceproxy::telemetry {

// traceparent  := version "-" trace-id "-" parent-id "-" trace-flags ["-" what later versions add]
//   version    := 2 digits, "ff" is none; trace-flags := 2 digits, 1 sampled | 2 random
//   trace-id   := 32 digits, parent-id := 16 digits, neither all zero
// Digits are hexadecimal and lower case. In version 00 nothing follows the flags.
namespace {

constexpr std::uint8_t flag_sampled = 1;
constexpr std::uint8_t flag_random = 2;

/// Takes `count` digits off `text`; false if one of them is none.
bool take_hex(std::string_view& text, std::size_t count, std::uint64_t& value) {
  value = 0;
  for (const char c : text.substr(0, count)) {
    const int digit = store::hex_value(c);
    if (digit < 0 || (c >= 'A' && c <= 'F')) return false;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  text.remove_prefix(count);
  return true;
}

bool take_dash(std::string_view& text) {
  if (text.empty() || text.front() != '-') return false;
  text.remove_prefix(1);
  return true;
}

char* put(char* out, std::string_view text) {
  return std::copy(text.begin(), text.end(), out);
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view value) {
  if (value.size() < traceparent_bytes) return std::nullopt;
  TraceContext context;
  std::uint64_t version = 0;
  std::uint64_t flags = 0;
  const bool read =
      take_hex(value, 2, version) && take_dash(value) && take_hex(value, 16, context.trace.high) &&
      take_hex(value, 16, context.trace.low) && take_dash(value) &&
      take_hex(value, 16, context.span) && take_dash(value) && take_hex(value, 2, flags);
  if (!read || version == 0xff || !context.trace || context.span == 0) return std::nullopt;
  if (!value.empty() && (version == 0 || value.front() != '-')) return std::nullopt;
  context.sampled = (flags & flag_sampled) != 0;
  context.random = (flags & flag_random) != 0;
  return context;
}

std::array<char, traceparent_bytes> write_traceparent(const TraceContext& context) {
  std::array<char, traceparent_bytes> text;
  char* out = put(text.data(), "00-");
  out = store::write_hex(context.trace.low, store::write_hex(context.trace.high, out));
  out = store::write_hex(context.span, put(out, "-"));
  *put(out, "-0") = static_cast<char>(
      '0' + ((context.sampled ? flag_sampled : 0) | (context.random ? flag_random : 0)));
  return text;
}

void append_hex(std::string& out, const TraceId& trace) {
  append_hex(out, trace.high);
  append_hex(out, trace.low);
}

void append_hex(std::string& out, SpanId span) {
  char text[16];
  store::write_hex(span, text);
  out.append(text, sizeof text);
}

SampleRatio::SampleRatio(double ratio)
    : threshold_(static_cast<std::uint64_t>(std::llround(
          (1.0 - std::clamp(ratio, 0.0, 1.0)) * static_cast<double>(std::uint64_t{1} << 56)))) {}

}  // namespace onceproxy::telemetry
