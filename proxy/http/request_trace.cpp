#include "proxy/http/request_trace.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace onceproxy::http {

namespace {

using telemetry::Span;
using telemetry::SpanKind;

/// Methods that may stand in a span's name (semantic conventions, http.request.method): those of
/// RFC 9110 and PATCH. Any other is a client's own text.
constexpr std::string_view methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

bool known_method(std::string_view method) {
  return std::ranges::find(methods, method) != std::end(methods);
}

std::string_view name_of(std::string_view method) {
  return known_method(method) ? method : "HTTP";
}

/// Spans tell wall time; what was measured is the steady clock's.
std::chrono::system_clock::time_point wall(RequestTrace::Clock::time_point time,
                                           const RequestTrace::Ending& ending) {
  return ending.wall_ended - (ending.ended - time);
}

/// The path as the policy's author wrote it, which is what many requests have in common; empty
/// if it is an expression.
std::string route_of(const policies::Match& match) {
  using Kind = policies::PathSegment::Kind;
  std::string route;
  for (const policies::PathSegment& segment : match.path) {
    route += '/';
    switch (segment.kind) {
      case Kind::literal:
        route += segment.text;
        break;
      case Kind::capture:
        route.append("{").append(segment.text).append("}");
        break;
      case Kind::rest:
        route += "**";
        break;
    }
  }
  return route;
}

/// A status as error.type wants it: text.
class StatusText {
 public:
  explicit StatusText(int status)
      : size_(static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, status).ptr -
                                       text_)) {}
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[8];
  std::size_t size_;
};

void add_method(std::string_view method, telemetry::SpanAttributes& attributes) {
  const bool known = known_method(method);
  attributes.text("http.request.method", known ? method : "_OTHER");
  if (!known) attributes.text("http.request.method_original", method);
}

/// "host:port" or "[v6]:port" in two; no port: -1.
std::pair<std::string_view, int> split_authority(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos)
    return {authority, -1};
  int port = -1;
  std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
  return {authority.substr(0, colon), port};
}

std::string_view user_agent(const RequestHead& head) {
  for (const Field& field : head.fields)
    if (policies::equals_ignoring_case(field.name, "user-agent")) return field.value;
  return {};
}

/// Low in number, as error.type is to be.
std::string_view why_unanswered(const ForwardRecord& forward) {
  if (forward.timed_out) return "timeout";
  return forward.sent() ? "no_answer" : "not_sent";
}

}  // namespace

RequestTrace::RequestTrace(telemetry::Tracer::Recorder* recorder, std::string_view traceparent)
    : recorder_(recorder) {
  if (recorder_ == nullptr) return;
  const auto parent = telemetry::parse_traceparent(traceparent);
  if (parent) parent_ = parent->span;
  context_ = recorder_->begin(parent);
  text_ = telemetry::write_traceparent(context_);
}

std::string_view RequestTrace::id() const {
  if (recorder_ == nullptr) return {};
  return std::string_view(text_.data(), text_.size()).substr(3, 32);
}

std::string RequestTrace::for_duplicates() const {
  if (!sampled()) return {};
  const auto text = telemetry::write_traceparent(context_);
  return {text.data(), text.size()};
}

void RequestTrace::link(std::string_view original) {
  if (original.empty() || !sampled()) return;
  if (const auto context = telemetry::parse_traceparent(original)) original_ = *context;
}

void RequestTrace::begin_forward() {
  if (!sampled()) return;
  mark(TraceMark::forward_begins);
  forward_ = recorder_->step(context_);
  text_ = telemetry::write_traceparent(forward_);
}

TraceFields RequestTrace::fields() const {
  // A trace that is not sampled and was not begun here is forwarded unchanged.
  if (recorder_ == nullptr || (parent_ != 0 && !sampled())) return {};
  return {{text_.data(), text_.size()}, parent_ != 0};
}

void RequestTrace::record(const Ending& ending) const {
  record_request(ending);
  if (reached(TraceMark::reserve_ends))
    record_step("reserve", TraceMark::reserve_begins, TraceMark::reserve_ends, ending);
  if (ending.forward.tried) record_forward(ending);
  if (reached(TraceMark::settle_ends))
    record_step("settle", TraceMark::settle_begins, TraceMark::settle_ends, ending);
}

void RequestTrace::record_request(const Ending& ending) const {
  const telemetry::AccessRecord& record = ending.record;
  const RequestHead& head = ending.head;
  std::string route;
  if (ending.policy != nullptr) route = route_of(ending.policy->match);
  std::string name(name_of(record.method));
  if (!route.empty()) name.append(" ").append(route);
  Span span;
  span.context = context_;
  span.parent = parent_;
  span.parent_remote = parent_ != 0;
  span.kind = SpanKind::server;
  span.name = name;
  span.begin = wall(ending.began, ending);
  span.end = wall(ending.ended, ending);
  span.link = original_;
  span.failed = record.status >= 500;
  if (span.failed) span.error = record.error;

  const auto [host, port] = split_authority(head.host);
  add_method(record.method, span.attributes);
  span.attributes.text("url.scheme", ending.secure ? "https" : "http");
  span.attributes.text("url.path", record.path);
  span.attributes.text("http.route", route);
  span.attributes.text("server.address", host);
  span.attributes.number("server.port", port);
  span.attributes.text("client.address", record.client);
  span.attributes.text("network.protocol.version", head.minor_version == 0 ? "1.0" : "1.1");
  span.attributes.text("user_agent.original", user_agent(head));
  span.attributes.number("http.request.body.size", record.request_bytes);
  if (record.status != 0) span.attributes.number("http.response.status_code", record.status);
  const StatusText status(record.status);
  if (span.failed) span.attributes.text("error.type", status.view());
  span.attributes.text("onceproxy.decision", gate::name(record.decision));
  if (record.shadow) span.attributes.text("onceproxy.shadow", gate::name(*record.shadow));
  span.attributes.text("onceproxy.policy", record.policy);
  span.attributes.text("onceproxy.fingerprint", record.fingerprint);
  span.attributes.text("onceproxy.request_id", record.request_id);
  recorder_->record(span);
}

void RequestTrace::record_step(std::string_view name, TraceMark begins, TraceMark ends,
                               const Ending& ending) const {
  Span span;
  span.context = recorder_->step(context_);
  span.parent = context_.span;
  span.name = name;
  span.begin = wall(at(begins), ending);
  span.end = wall(at(ends), ending);
  span.attributes.text("onceproxy.policy", ending.record.policy);
  // Whatever the store failed at was the last thing that was asked of it.
  const bool last = ends == TraceMark::settle_ends || !reached(TraceMark::settle_ends);
  if (last && ending.record.decision == gate::Decision::store_error) {
    span.failed = true;
    span.error = ending.record.error;
    span.attributes.text("error.type", gate::name(ending.record.decision));
  }
  recorder_->record(span);
}

RequestTrace::Clock::time_point RequestTrace::forward_ended(const Ending& ending) const {
  // What got no answer was over before it was settled; an answer may still be streaming then.
  const ForwardRecord& forward = ending.forward;
  if (forward.status == 0 && reached(TraceMark::settle_begins)) return at(TraceMark::settle_begins);
  return forward.sent() ? forward.sent_at + forward.duration : ending.ended;
}

void RequestTrace::record_forward(const Ending& ending) const {
  const ForwardRecord& forward = ending.forward;
  // Without the query, which may hold secrets.
  std::string url = "http://" + ending.setup.upstream_name;
  url += ending.record.path;
  const Endpoint& upstream = ending.setup.options.upstream.endpoint;
  Span span;
  span.context = forward_;
  span.parent = context_.span;
  span.kind = SpanKind::client;
  span.name = name_of(ending.record.method);
  span.begin = wall(forward.sent() ? forward.sent_at : at(TraceMark::forward_begins), ending);
  span.end = wall(forward_ended(ending), ending);
  add_method(ending.record.method, span.attributes);
  span.attributes.text("server.address",
                       upstream.unix_path.empty() ? upstream.host : upstream.unix_path);
  if (upstream.unix_path.empty()) span.attributes.number("server.port", upstream.port);
  span.attributes.text("url.full", url);
  span.attributes.text("network.protocol.version", "1.1");
  const StatusText status(forward.status);
  if (forward.status != 0) {
    span.attributes.number("http.response.status_code", forward.status);
    span.failed = forward.status >= 400;
    if (span.failed) span.attributes.text("error.type", status.view());
  } else {
    span.failed = true;
    span.error = ending.record.error;
    span.attributes.text("error.type", why_unanswered(forward));
  }
  recorder_->record(span);
}

}  // namespace onceproxy::http
