#include "proxy/telemetry/access_format_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <variant>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

using Piece = AccessFormat::Piece;
using SystemTime = std::chrono::system_clock::time_point;

struct Request {
  const AccessRecord& record;
  const AccessDetails& details;
  SystemTime now;
};

/// What an operator found: nothing, a number, or a text, which may be in the scratch that it was
/// given.
using Found = std::variant<std::monostate, std::int64_t, std::string_view>;

Found found(std::string_view text) {
  if (text.empty()) return {};
  return text;
}

Found found(std::optional<std::string_view> text) {
  if (!text) return {};
  return *text;
}

Found counted(std::int64_t number) {
  if (number < 0) return {};
  return number;
}

/// As getaddrinfo would take it.
Found address_of(const Request& request, std::string& scratch) {
  const std::string_view host = request.record.client;
  if (host.empty() || request.details.client_port == 0) return found(host);
  const bool v6 = host.find(':') != std::string_view::npos;
  if (v6) scratch += '[';
  scratch += host;
  scratch += v6 ? "]:" : ":";
  append_number(scratch, request.details.client_port);
  return std::string_view(scratch);
}

bool same_name(std::string_view written, std::string_view lower) {
  return std::ranges::equal(written, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// The first field of that name in a head; `name` is in lower case.
std::optional<std::string_view> field_of(std::string_view head, std::string_view name) {
  std::size_t at = head.find('\n');
  while (at != std::string_view::npos) {
    const std::string_view rest = head.substr(at + 1);
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name)) {
      line.remove_prefix(colon + 1);
      while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
      while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
      return line;
    }
    at = end == std::string_view::npos ? end : at + 1 + end;
  }
  return std::nullopt;
}

Found request_field(const Request& request, std::string_view name) {
  // If the client sent none, the upstream got the one that was made.
  if (name == "x-request-id") return found(request.record.request_id);
  if (request.details.request == nullptr) return {};
  return found(request.details.request->find(name));
}

Found response_field(const Request& request, std::string_view name, std::string& scratch) {
  if (name == ":status") {
    if (request.record.status == 0) return {};
    append_number(scratch, request.record.status);
    return std::string_view(scratch);
  }
  return found(field_of(request.details.answer_head, name));
}

/// Of two fields, the first that is there.
Found field(const Request& request, const Piece& piece, std::string& scratch) {
  for (const std::string& name : {std::cref(piece.field), std::cref(piece.other_field)}) {
    if (name.empty()) continue;
    Found value = piece.what == AccessOperator::request_field
                      ? request_field(request, name)
                      : response_field(request, name, scratch);
    if (!std::holds_alternative<std::monostate>(value)) return value;
  }
  return {};
}

Found details_of(const Request& request, std::string& scratch) {
  if (!request.details.code_details.empty()) return request.details.code_details;
  scratch = "onceproxy_";
  scratch += name(request.record.decision);
  std::ranges::replace(scratch, '-', '_');
  return std::string_view(scratch);
}

Found bytes_sent(const Request& request) {
  const auto head = static_cast<std::int64_t>(request.details.answer_head.size());
  return std::max<std::int64_t>(request.record.response_bytes - head, 0);
}

Found time_of(const Piece& piece, SystemTime time, std::string& scratch) {
  piece.time->append(scratch, time);
  return std::string_view(scratch);
}

Found milliseconds_of(std::chrono::nanoseconds duration) {
  return counted(duration.count() < 0
                     ? -1
                     : std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

/// The machine's name does not change while the process runs, as far as a log is concerned.
std::string_view hostname() {
  static const std::string name = [] {
    std::array<char, 256> text{};
    if (::gethostname(text.data(), text.size() - 1) != 0) return std::string();
    return std::string(text.data());
  }();
  return name;
}

Found value_of(const Request& request, const Piece& piece, std::string& scratch) {
  using Operator = AccessOperator;
  const AccessRecord& record = request.record;
  const AccessDetails& details = request.details;
  switch (*piece.what) {
    case Operator::start_time:
      return time_of(
          piece, request.now - std::chrono::duration_cast<SystemTime::duration>(record.duration),
          scratch);
    case Operator::emit_time:
      return time_of(piece, request.now, scratch);
    case Operator::request_field:
    case Operator::response_field:
      return field(request, piece, scratch);
    case Operator::path:
      return found(piece.without_query ? details.target.substr(0, details.target.find('?'))
                                       : details.target);
    case Operator::protocol:
      return found(details.protocol);
    case Operator::response_code:
      return std::int64_t{record.status};
    case Operator::response_code_details:
      return details_of(request, scratch);
    case Operator::response_flags:
      return found(flag_name(details.flag, false));
    case Operator::response_flags_long:
      return found(flag_name(details.flag, true));
    case Operator::bytes_received:
      return counted(record.request_bytes);
    case Operator::bytes_sent:
      return bytes_sent(request);
    case Operator::wire_bytes_sent:
      return counted(record.response_bytes);
    case Operator::duration:
      return milliseconds_of(record.duration);
    case Operator::upstream_host:
      return found(details.upstream_host);
    case Operator::upstream_cluster:
      return details.forwarded ? found(std::string_view("upstream")) : Found();
    case Operator::attempt_count:
      return std::int64_t{details.forwarded ? 1 : 0};
    case Operator::remote_address:
      return address_of(request, scratch);
    case Operator::remote_address_without_port:
      return found(record.client);
    case Operator::remote_port:
      return details.client_port == 0 ? Found() : Found(std::int64_t{details.client_port});
    case Operator::stream_id:
      return found(record.request_id);
    case Operator::trace_id:
      return found(record.trace_id);
    case Operator::hostname:
      return found(hostname());
    case Operator::decision:
      return name(record.decision);
    case Operator::shadow:
      return record.shadow ? Found(name(*record.shadow)) : Found();
    case Operator::policy:
      return found(record.policy);
    case Operator::fingerprint:
      return found(record.fingerprint);
    case Operator::error:
      return found(record.error);
    case Operator::upstream_duration:
      return milliseconds_of(record.upstream_duration);
  }
  return {};
}

/// Not in the middle of a character.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  constexpr std::size_t character_bytes_max = 4;
  std::size_t end = bytes_max;
  const auto inside = [&] { return (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; };
  while (end > 0 && bytes_max - end < character_bytes_max && inside()) --end;
  return text.substr(0, inside() ? bytes_max : end);
}

void append_value(std::string& out, const Request& request, const Piece& piece) {
  std::string scratch;
  const Found value = value_of(request, piece, scratch);
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    append_escaped(out, cut(*text, piece.bytes_max));
  } else if (const auto* const number = std::get_if<std::int64_t>(&value)) {
    append_number(out, *number);
  } else {
    out += '-';
  }
}

/// One operator alone keeps its type.
void append_typed(std::string& out, const Request& request, const Piece& piece) {
  std::string scratch;
  const Found value = value_of(request, piece, scratch);
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    append_json_string(out, cut(*text, piece.bytes_max));
  } else if (const auto* const number = std::get_if<std::int64_t>(&value)) {
    append_number(out, *number);
  } else {
    out += "null";
  }
}

void append_json_value(std::string& out, const Request& request, const AccessFormat::Text& text) {
  if (text.size() == 1 && text.front().what) {
    append_typed(out, request, text.front());
    return;
  }
  out += '"';
  for (const Piece& piece : text) {
    piece.what ? append_value(out, request, piece) : append_escaped(out, piece.literal);
  }
  out += '"';
}

}  // namespace

std::optional<std::string_view> flag_name(AccessFlag flag, bool in_full) {
  switch (flag) {
    case AccessFlag::none:
      break;
    case AccessFlag::connection_failure:
      return in_full ? "UpstreamConnectionFailure" : "UF";
    case AccessFlag::overflow:
      return in_full ? "UpstreamOverflow" : "UO";
    case AccessFlag::request_timeout:
      return in_full ? "UpstreamRequestTimeout" : "UT";
    case AccessFlag::connection_termination:
      return in_full ? "UpstreamConnectionTermination" : "UC";
    case AccessFlag::protocol_error:
      return in_full ? "UpstreamProtocolError" : "UPE";
    case AccessFlag::client_left:
      return in_full ? "DownstreamConnectionTermination" : "DC";
    case AccessFlag::client_protocol_error:
      return in_full ? "DownstreamProtocolError" : "DPE";
    case AccessFlag::rate_limited:
      return in_full ? "RateLimited" : "RL";
  }
  return std::nullopt;
}

void append_formatted_line(std::string& out, const AccessFormat& format, const AccessRecord& record,
                           const AccessDetails& details, SystemTime now) {
  const Request request{record, details, now};
  if (format.is_json()) {
    for (const AccessFormat::JsonStep& step : format.json()) {
      out += step.before;
      if (!step.value.empty()) append_json_value(out, request, step.value);
    }
  } else {
    for (const Piece& piece : format.line()) {
      piece.what ? append_value(out, request, piece) : void(out += piece.literal);
    }
  }
  out += '\n';
}

}  // namespace onceproxy::telemetry
