#include "proxy/telemetry/tracer.hpp"

#include <utility>

#include "proxy/telemetry/span_exporter.hpp"
#include "proxy/telemetry/span_json.hpp"
#include "proxy/telemetry/span_queue.hpp"
#include "proxy/telemetry/span_transport.hpp"
#include "store/random.hpp"

namespace onceproxy::telemetry {
namespace {

/// A worker hands over this much at the latest.
constexpr std::size_t hand_over_bytes = 32 * 1024;

/// As W3C wants ids: random, and never zero, which is not a valid one.
std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) id = store::random_number();
  return id;
}

}  // namespace

struct Tracer::State {
  State(const TracerOptions& options, TracerCounts hear, std::unique_ptr<SpanTransport> transport)
      : ratio(options.sample_ratio),
        counts(hear),
        queue(options.queue_bytes_max),
        exporter(options, std::move(transport), queue, std::move(hear)) {}

  const SampleRatio ratio;
  const TracerCounts counts;
  SpanQueue queue;
  SpanExporter exporter;
};

Tracer::Tracer(const TracerOptions& options, TracerCounts counts)
    : Tracer(options, std::move(counts), curl_transport(options.endpoint)) {}

Tracer::Tracer(const TracerOptions& options, TracerCounts counts,
               std::unique_ptr<SpanTransport> transport)
    : state_(std::make_unique<State>(options, std::move(counts), std::move(transport))) {}

Tracer::~Tracer() = default;

struct Tracer::Recorder::State {
  explicit State(Tracer::State& of) : tracer(of) {}

  Tracer::State& tracer;
  SpanBatch batch;
  /// Not encoded, since the queue was full.
  std::uint64_t dropped = 0;
};

std::unique_ptr<Tracer::Recorder> Tracer::add_recorder() {
  return std::unique_ptr<Recorder>(new Recorder(std::make_unique<Recorder::State>(*state_)));
}

Tracer::Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}

Tracer::Recorder::~Recorder() {
  flush();
}

TraceContext Tracer::Recorder::begin(const std::optional<TraceContext>& parent) {
  State& state = *state_;
  if (parent && !parent->sampled) return *parent;
  TraceContext context;
  if (parent) {
    context = *parent;
  } else {
    context.trace = {random_id(), random_id()};
    context.random = true;
    context.sampled = state.tracer.ratio.takes(context.trace);
  }
  context.span = random_id();
  return context;
}

TraceContext Tracer::Recorder::step(const TraceContext& context) {
  TraceContext step = context;
  step.span = random_id();
  return step;
}

void Tracer::Recorder::record(const Span& span) {
  State& state = *state_;
  if (state.tracer.queue.full()) {
    ++state.dropped;
    return;
  }
  append_span(state.batch.json, span);
  state.batch.json += ',';
  ++state.batch.spans;
  if (state.batch.json.size() >= hand_over_bytes) flush();
}

void Tracer::Recorder::flush() {
  State& state = *state_;
  std::uint64_t dropped = std::exchange(state.dropped, 0);
  if (const std::uint64_t spans = state.batch.spans; spans > 0) {
    if (!state.tracer.queue.hand_over(state.batch)) dropped += spans;
  }
  if (dropped > 0) state.tracer.counts.dropped(dropped);
}

}  // namespace onceproxy::telemetry
