#include "proxy/telemetry/access_line.hpp"

#include <algorithm>
#include <cstddef>

#include "proxy/telemetry/colour.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

using namespace std::string_view_literals;

/// A field's name with what stands around it in a JSON line. There it takes one append instead of
/// three, and each request has a dozen.
class Key {
 public:
  template <std::size_t size>
  consteval Key(const char (&name)[size]) : name_size_(size - 1) {
    static_assert(size + 3 <= sizeof in_json_);
    in_json_[0] = ',';
    in_json_[1] = in_json_[size + 1] = '"';
    in_json_[size + 2] = ':';
    std::copy_n(name, name_size_, in_json_ + 2);
  }
  std::string_view in_json() const { return {in_json_, name_size_ + 4}; }
  std::string_view name() const { return {in_json_ + 2, name_size_}; }

 private:
  std::size_t name_size_;
  char in_json_[24] = {};
};

class JsonLine {
 public:
  JsonLine(std::string& out, std::string_view time) : out_(out) {
    out_.append(R"({"time":")"sv).append(time) += '"';
  }
  void text(const Key& key, std::string_view value) {
    if (value.empty()) return;
    out_.append(key.in_json());
    append_json_string(out_, value);
  }
  void text(const Key& key, std::string_view value, std::string_view) { text(key, value); }
  void number(const Key& key, std::int64_t value) {
    if (value < 0) return;
    out_.append(key.in_json());
    append_number(out_, value);
  }
  void milliseconds(const Key& key, std::chrono::nanoseconds value) {
    if (value.count() < 0) return;
    out_.append(key.in_json());
    append_milliseconds(out_, value);
  }
  void end() { out_.append("}\n"sv); }

 private:
  std::string& out_;
};

class TextLine {
 public:
  TextLine(std::string& out, std::string_view time, bool coloured)
      : out_(out), coloured_(coloured) {
    append(colour::dim, time);
  }
  void text(const Key& key, std::string_view value) {
    if (value.empty()) return;
    this->key(key.name());
    append_text_value(out_, value);
  }
  /// The value in a colour of its own.
  void text(const Key& key, std::string_view value, std::string_view in_colour) {
    this->key(key.name());
    append(in_colour, value);
  }
  void number(const Key& key, std::int64_t value) {
    if (value < 0) return;
    this->key(key.name());
    append_number(out_, value);
  }
  void milliseconds(const Key& key, std::chrono::nanoseconds value) {
    if (value.count() < 0) return;
    this->key(key.name());
    append_milliseconds(out_, value);
  }
  void end() { out_ += '\n'; }

 private:
  /// What is the same in every line steps back.
  void key(std::string_view key) {
    out_ += ' ';
    append(colour::dim, key);
    out_ += '=';
  }
  void append(std::string_view in_colour, std::string_view text) {
    if (!coloured_) {
      out_.append(text);
    } else {
      out_.append(in_colour).append(text).append(colour::end);
    }
  }

  std::string& out_;
  const bool coloured_;
};

template <typename Line>
void append_record(Line line, const AccessRecord& record) {
  line.text("request_id", record.request_id);
  line.text("trace_id", record.trace_id);
  line.text("client", record.client);
  line.text("method", record.method);
  line.text("path", record.path);
  line.text("policy", record.policy);
  line.text("decision", name(record.decision), colour_of(record.decision));
  if (record.shadow) line.text("shadow", name(*record.shadow));
  line.text("fingerprint", record.fingerprint);
  if (record.status != 0) line.number("status", record.status);
  line.number("request_bytes", record.request_bytes);
  line.number("response_bytes", record.response_bytes);
  line.milliseconds("duration_ms", record.duration);
  line.milliseconds("upstream_ms", record.upstream_duration);
  line.text("error", record.error);
  line.end();
}

template <typename Line>
void append_dropped(Line line, std::uint64_t lines) {
  line.number("dropped", static_cast<std::int64_t>(lines));
  line.text("error", "access log lines dropped");
  line.end();
}

}  // namespace

void append_access_line(std::string& out, LogFormat format, std::string_view time,
                        const AccessRecord& record) {
  const bool coloured = format == LogFormat::coloured_text;
  format == LogFormat::json ? append_record(JsonLine(out, time), record)
                            : append_record(TextLine(out, time, coloured), record);
}

void append_dropped_line(std::string& out, LogFormat format, std::string_view time,
                         std::uint64_t lines) {
  const bool coloured = format == LogFormat::coloured_text;
  format == LogFormat::json ? append_dropped(JsonLine(out, time), lines)
                            : append_dropped(TextLine(out, time, coloured), lines);
}

}  // namespace onceproxy::telemetry
