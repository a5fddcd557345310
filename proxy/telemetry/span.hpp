// Span: one step of a request in a trace, with OpenTelemetry's terms. Plain values: it is read when
// it is recorded (tracer.hpp) and contains only views.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "proxy/telemetry/trace_context.hpp"

namespace onceproxy::telemetry {

/// The numbers are OTLP's.
enum class SpanKind { internal = 1, server = 2, client = 3 };

/// The attributes of a span. `name` is a literal.
class SpanAttributes {
 public:
  using Value = std::variant<std::string_view, std::int64_t>;
  struct Attribute {
    std::string_view name;
    Value value;
  };
  static constexpr std::size_t attributes_max = 24;

  /// Empty texts and negative numbers mean unknown values; they are left out.
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) add({name, value});
  }
  void number(std::string_view name, std::int64_t value) {
    if (value >= 0) add({name, value});
  }
  const Attribute* begin() const { return attributes_.data(); }
  const Attribute* end() const { return attributes_.data() + size_; }

 private:
  void add(Attribute attribute) {
    if (size_ < attributes_max) attributes_[size_++] = attribute;
  }

  std::array<Attribute, attributes_max> attributes_;
  std::size_t size_ = 0;
};

struct Span {
  /// The trace, and the id of this span.
  TraceContext context;
  /// The id of the parent; 0 for the first span of a trace.
  SpanId parent = 0;
  /// Whether the parent is in another process.
  bool parent_remote = false;
  SpanKind kind = SpanKind::internal;
  std::string_view name;
  std::chrono::system_clock::time_point begin;
  std::chrono::system_clock::time_point end;
  SpanAttributes attributes;
  /// A linked span; absent if its trace is zero.
  TraceContext link;
  bool failed = false;
  /// The reason why it failed, without a payload.
  std::string_view error;
};

}  // namespace onceproxy::telemetry
