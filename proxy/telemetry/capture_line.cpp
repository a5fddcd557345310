#include "proxy/telemetry/capture_line.hpp"

#include <algorithm>
#include <cstring>

#include "store/base64.hpp"

namespace onceproxy::telemetry {
namespace {

bool same_name(std::string_view name, std::string_view lower) {
  return std::ranges::equal(name, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
  });
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, text);
}

void append_headers(std::string& out, const CapturedRequest& request, const CaptureOptions& options,
                    const std::function<std::string(std::string_view)>& disguise) {
  out += ",\"headers\":[";
  const char* separator = "";
  for (const auto& header : request.headers) {
    const auto& [name, value] = header;
    const bool hidden = std::ranges::any_of(
        options.redact, [&](const std::string& lower) { return same_name(header.first, lower); });
    out += separator;
    out += '[';
    append_json_string(out, name);
    out += ',';
    append_json_string(out, hidden ? disguise(value) : std::string(value));
    out += ']';
    separator = ",";
  }
  out += ']';
}

/// Text stays readable; what JSON cannot hold, or what is encoded, goes as bytes.
void append_body(std::string& out, const CapturedRequest& request) {
  if (!request.body) {
    if (request.body_bytes == 0) return;
    out += ",\"body_bytes\":";
    append_number(out, static_cast<std::int64_t>(request.body_bytes));
    return;
  }
  if (request.body->empty()) return;
  const bool encoded = std::ranges::any_of(request.headers, [](const auto& header) {
    return same_name(header.first, "content-encoding");
  });
  if (!encoded && is_utf8(*request.body)) return append_member(out, "body", *request.body);
  out += ",\"body_base64\":\"";
  store::append_base64(out, *request.body);
  out += '"';
}

void append_answer(std::string& out, const CapturedRequest& request) {
  if (request.status) {
    out += ",\"status\":";
    append_number(out, *request.status);
    out += ",\"response_bytes\":";
    append_number(out, static_cast<std::int64_t>(request.response_bytes));
  }
  if (!request.sent) out += ",\"sent\":false";
  out += ",\"duration_ms\":";
  append_milliseconds(out, request.duration);
}

std::uint64_t hash(std::uint64_t seed, std::string_view bytes) {
  // FNV-1a: it need not withstand anybody, only spread.
  for (const char c : bytes) {
    seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return seed;
}

}  // namespace

std::string capture_line(const CapturedRequest& request, const CaptureOptions& options,
                         const std::function<std::string(std::string_view)>& disguise,
                         Timestamp& timestamp) {
  std::string out;
  out.reserve(512 + (request.body ? request.body->size() + request.body->size() / 8 : 0));
  out += "{\"time\":";
  append_json_string(out, timestamp.text(request.time));
  append_member(out, "method", request.method);
  append_member(out, "target", request.target);
  append_headers(out, request, options, disguise);
  append_body(out, request);
  append_answer(out, request);
  if (!request.policy.empty()) append_member(out, "policy", request.policy);
  append_member(out, "decision", gate::name(request.decision));
  out += "}\n";
  return out;
}

bool in_sample(const CapturedRequest& request, double sample) {
  if (sample >= 1) return true;
  std::uint64_t number = 0;
  if (request.fingerprint.size() >= sizeof number) {
    // Other bytes than those that a policy's percentage goes by.
    std::memcpy(&number, request.fingerprint.data(), sizeof number);
  } else {
    number = hash(hash(hash(0xcbf29ce484222325, request.method), request.target),
                  request.body.value_or(""));
  }
  return static_cast<double>(number >> 11) * 0x1p-53 < sample;
}

}  // namespace onceproxy::telemetry
