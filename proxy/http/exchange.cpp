#include "proxy/http/exchange.hpp"

#include <algorithm>
#include <iterator>

#include "policies/near_miss.hpp"
#include "policies/path.hpp"
#include "proxy/gate/cors.hpp"
#include "proxy/http/covered.hpp"
#include "proxy/http/passing.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/http/worker.hpp"
#include "store/random.hpp"

namespace onceproxy::http {

namespace {

using gate::Decision;
using policies::equals_ignoring_case;

/// A policy that is off and asks nothing of the body lets the request stream by untouched.
bool switched_off(const gate::Rules& rules, const policies::Policy& policy) {
  return rules.enforcement(policy).mode == policies::Enforcement::Mode::off &&
         policy.match.where.empty() && !policy.match.method_override;
}

telemetry::NearMiss counted(policies::NearMiss what) {
  switch (what) {
    case policies::NearMiss::method:
      return telemetry::NearMiss::method;
    case policies::NearMiss::header:
      return telemetry::NearMiss::header;
    case policies::NearMiss::condition:
      return telemetry::NearMiss::condition;
    case policies::NearMiss::path:
      break;
  }
  return telemetry::NearMiss::path;
}

}  // namespace

bool wants_websocket(const RequestHead& head) {
  if (head.upgrade < 0 || head.minor_version == 0) return false;
  const auto at = static_cast<std::size_t>(head.upgrade);
  return head.dropped(at) && equals_ignoring_case(head.fields[at].value, "websocket");
}

Exchange::Exchange(ClientConnection& connection, Clock::time_point began)
    : client(connection),
      worker(connection.worker),
      setup(worker.setup()),
      rules(setup->rules.get()),
      trace(worker.recorder(), connection.head.traceparent),
      keep_alive(connection.head.keep_alive),
      began_(began) {
  if (const std::size_t twins = setup->guarded.drop_twins(client.head); twins > 0) {
    worker.metrics().twins_dropped(twins);
  }
  see_head();
}

void Exchange::see_head() {
  const RequestHead& head = client.head;
  view.method = head.method;
  view.target = head.target;
  view.query = head.query;
  view.headers = delivered_fields(head, delivered_);
  if (options().identifies_clients) hide_certificate_claims();
  view.certificate = client.peer ? &client.certificate : nullptr;
  see_request_id();
}

void Exchange::see_request_id() {
  const int at = client.head.request_id;
  if (at >= 0) request_id = client.head.fields[static_cast<std::size_t>(at)].value;
  if (at >= 0 && !request_id.empty() && request_id.size() <= request_id_bytes_max) return;
  if (made_request_id_.empty()) made_request_id_ = store::random_uuid();
  request_id = made_request_id_;
}

/// What a client says of its certificate goes no further where we look at it ourselves, and what
/// the service does not get no policy reads.
void Exchange::hide_certificate_claims() {
  if (std::ranges::count(client.head.known, Known::client_certificate) == 0) return;
  std::vector<Field> others;
  std::ranges::copy_if(view.headers, std::back_inserter(others), [](const Field& field) {
    return known_field(field.name) != Known::client_certificate;
  });
  delivered_ = std::move(others);
  view.headers = delivered_;
}

void Exchange::begin_body() {
  head_begin_ = client.buffer.view().data();
  client.buffer.consume(client.head.size);
}

void Exchange::keep_head() {
  if (!kept_head_.empty()) return;
  kept_head_.assign(head_begin_, client.head.size);
  // A path that was not in normal form is a copy already.
  const bool path_in_head = view.path.data() == client.head.path.data();
  client.head.move_views(head_begin_, kept_head_.data());
  see_head();
  if (path_in_head) view.path = client.head.path;
}

telemetry::PolicyId Exchange::policy_id() const {
  return policy == nullptr ? telemetry::no_policy : rules->id(*policy);
}

ClientSide Exchange::client_side() const {
  return {client.head.minor_version, keep_alive && !worker.draining(), client.head.method == "HEAD",
          worker.date(), request_id};
}

ForwardedFields Exchange::forwarded_fields() const {
  return {request_id, client.client, client.tls() != nullptr};
}

CertificateField Exchange::certificate_field() const {
  return {options().identifies_clients,
          client.peer ? std::string_view(client.peer->forwarded) : std::string_view()};
}

CoveredFields Exchange::covered_fields(std::size_t body_bytes) const {
  CoveredFields fields;
  fields.forwarded = forwarded_fields();
  fields.response_timeout = options().upstream.response_timeout;
  fields.certificate = certificate_field();
  fields.body_bytes = body_bytes;
  fields.trace = trace.fields();
  return fields;
}

std::optional<BadHead> Exchange::read_path() {
  view.path = client.head.path;
  if (client.head.path == "*") return std::nullopt;
  const auto path = policies::normalize_path(client.head.path, client.path_scratch,
                                             options().limits.pass_encoded_slashes);
  if (path) {
    view.path = *path;
    return std::nullopt;
  }
  switch (path.error()) {
    case policies::PathError::not_absolute:
      return BadHead{400, "target", "The path does not begin with a slash."};
    case policies::PathError::bad_encoding:
      return BadHead{400, "target", "The path holds a percent sign without two digits."};
    case policies::PathError::encoded_delimiter:
      break;
  }
  return BadHead{400, "encoded-delimiter",
                 "The path holds an encoded slash, backslash or NUL; limits.encoded_slashes: pass "
                 "takes slashes and backslashes."};
}

/// Of the page whose script sent the request; empty where it says none, or several.
std::string_view Exchange::origin() const {
  std::string_view origin;
  for (const Field& field : view.headers) {
    if (!equals_ignoring_case(field.name, "origin")) continue;
    if (!origin.empty()) return {};
    origin = field.value;
  }
  return origin;
}

const policies::Cors* Exchange::cors_of(const policies::Policy* covering) const {
  const auto& rules_of_all = options().cors;
  if (covering != nullptr && covering->cors) return &*covering->cors;
  return rules_of_all ? &*rules_of_all : nullptr;
}

/// Whose CORS rules a preflight is answered by here (Fetch standard, 3.3.2): those of the first
/// policy that may cover the request it asks for. What that one's fields and body are is not known
/// yet. nullptr: the request is none, or is for the service to answer.
const policies::Policy* Exchange::preflighted() const {
  if (view.method != "OPTIONS" || client.head.framing.kind != Framing::Kind::none) return nullptr;
  const Field* const method = view.header("access-control-request-method");
  if (method == nullptr || !valid_token(method->value) || origin().empty()) return nullptr;
  for (const policies::Policy* one : rules->policies().on_path(method->value, view.path)) {
    const bool enforced = rules->enforcement(*one).mode == policies::Enforcement::Mode::enforce;
    if (enforced && cors_of(one) != nullptr) return one;
    // What it covers, none behind it does.
    const policies::Match& match = one->match;
    if (match.headers.empty() && match.where.empty() && !match.method_override) return nullptr;
  }
  return nullptr;
}

Task<void> Exchange::answer_preflight(const policies::Policy& covering) {
  policy = &covering;
  begin_body();
  const Field* const method = view.header("access-control-request-method");
  const Field* const names = view.header("access-control-request-headers");
  gate::Answer allowed = gate::answer_preflight(
      *cors_of(&covering),
      {origin(), method->value, names != nullptr ? names->value : std::string_view()});
  co_await answer(Decision::preflight, std::move(allowed));
}

void Exchange::look_for_near_misses() {
  if (!worker.looks_for_near_misses(began_)) return;
  for (const auto& [missed, what] : policies::near_misses(rules->policies().policies(), view)) {
    worker.metrics().near_miss(rules->id(*missed), counted(what));
  }
}

Task<bool> Exchange::run() {
  if (const auto bad = read_path()) {
    co_await refuse(*bad);
    co_return false;
  }
  if (const policies::Policy* const covering = preflighted()) {
    co_await answer_preflight(*covering);
    co_return keep_alive && !worker.draining();
  }
  const auto candidates = rules->policies().candidates(view);
  if (!candidates.empty() && switched_off(*rules, *candidates.front())) {
    policy = candidates.front();
    worker.metrics().unprotected(policy_id(), telemetry::Unprotected::off);
  }
  if (candidates.empty()) look_for_near_misses();
  if (candidates.empty() || policy != nullptr) {
    Passing passing(*this);
    co_await passing.run();
  } else {
    Covered covered(*this, candidates);
    co_await covered.run();
  }
  co_return keep_alive && !worker.draining();
}

Task<void> Exchange::answer(Decision decision, gate::Answer answer, std::string_view error,
                            const UpstreamCall* call) {
  const bool covered = policy != nullptr || decision == Decision::bad_request;
  client.out.clear();
  std::optional<gate::Decided> decided;
  if (covered) decided.emplace(decision, shadow);
  const policies::Cors* const cors = cors_of(policy);
  if (cors != nullptr && decision != Decision::preflight) gate::let_read(answer, *cors, origin());
  write_answer(answer, client_side(), decided, client.out);
  const io::IoResult written = co_await client.write(client.out);
  if (written.error != io::IoError::none) keep_alive = false;
  finish(decision, answer.status, written.bytes, error, call);
}

Task<void> Exchange::refuse(const BadHead& why) {
  keep_alive = false;
  worker.metrics().bad_request(why.reason);
  gate::Answer refusal = gate::bad_request(why.status, why.detail);
  if (words != nullptr) {
    refusal = gate::refusal(*words, policies::Refusal::bad_request, std::move(refusal));
  }
  co_await answer(Decision::bad_request, std::move(refusal), why.detail);
}

/// The answer is the service's where the request was forwarded and answered; that of a duplicate, a
/// refusal or a failure is not, and says nothing of what the service would have answered.
void Exchange::capture(Decision decision, int status, std::uint64_t response_bytes,
                       std::chrono::nanoseconds duration, const UpstreamCall* call) const {
  // A head that is refused may be half read.
  if (decision == Decision::bad_request) return;
  telemetry::CapturedRequest request;
  request.time = std::chrono::system_clock::now() -
                 std::chrono::duration_cast<std::chrono::system_clock::duration>(duration);
  request.method = client.head.method;
  request.target = client.head.target;
  for (const Field& field : client.head.fields) {
    request.headers.emplace_back(field.name, field.value);
  }
  request.body = whole_body;
  request.body_bytes = request_bytes;
  const bool forwarded = decision == Decision::forwarded || decision == Decision::passed;
  const bool began = call != nullptr && call->duration().count() >= 0;
  if (forwarded) request.status = status;
  if (decision == Decision::upstream_error && began) request.status = 0;
  if (decision == Decision::upstream_error && !began) request.sent = false;
  request.duration = duration;
  request.response_bytes = answer_body_bytes.value_or(response_bytes);
  if (policy != nullptr) request.policy = policy->name;
  request.decision = decision;
  if (fingerprint) {
    request.fingerprint = {reinterpret_cast<const char*>(fingerprint->bytes.data()),
                           fingerprint->bytes.size()};
  }
  worker.capture()->write(request);
}

void Exchange::finish(Decision decision, int status, std::uint64_t response_bytes,
                      std::string_view error, const UpstreamCall* call) {
  const auto ended = Clock::now();
  const auto duration = ended - began_;
  worker.metrics().request(policy_id(), decision, duration);
  if (shadow) worker.metrics().shadow(policy_id(), *shadow);
  // Below zero: nothing was sent, and what there was to wait for was not ours.
  if (call != nullptr && call->duration().count() >= 0) {
    worker.metrics().latency_added(policy_id(), duration - call->duration());
  }
  telemetry::AccessRecord record;
  std::string hex;
  if (fingerprint) hex = fingerprint->hex();
  record.request_id = request_id;
  record.trace_id = trace.id();
  record.client = client.client;
  record.method = client.head.method;
  record.path = client.head.path;
  if (policy != nullptr) record.policy = policy->name;
  record.decision = decision;
  record.shadow = shadow;
  record.fingerprint = hex;
  record.status = status;
  record.request_bytes = static_cast<std::int64_t>(request_bytes);
  record.response_bytes = static_cast<std::int64_t>(response_bytes);
  record.duration = duration;
  if (call != nullptr) record.upstream_duration = call->duration();
  record.error = error.empty() ? std::string_view(unnamed) : error;
  worker.access_log().write(record);
  if (worker.capture() != nullptr) capture(decision, status, response_bytes, duration, call);
  if (trace.sampled())
    trace.record(*this, {record, call, began_, ended, std::chrono::system_clock::now()});
}

}  // namespace onceproxy::http
