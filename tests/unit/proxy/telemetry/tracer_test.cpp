#include "proxy/telemetry/tracer.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/telemetry/span_transport.hpp"

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;
using Result = SpanReply::Result;

constexpr auto patience = 20s;

/// A collector that does what the test says, and remembers what it was sent.
struct Collector {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> bodies;
  SpanReply reply{Result::taken, 0s, "", ""};
  bool blocked = false;
  SpanTransport::Clock::time_point end_by = SpanTransport::Clock::time_point::max();

  void answer(Result result) {
    const std::lock_guard lock(mutex);
    reply.result = result;
  }
  void block(bool block) {
    const std::lock_guard lock(mutex);
    blocked = block;
    changed.notify_all();
  }
  bool sent(std::string_view part) {
    const std::lock_guard lock(mutex);
    return bodies.back().find(part) != std::string::npos;
  }
  /// Once there were so many requests.
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, patience, [&] { return bodies.size() >= count; }));
    return bodies;
  }
};

class Transport final : public SpanTransport {
 public:
  explicit Transport(Collector& collector) : collector_(collector) {}
  SpanReply send(std::string_view body, std::chrono::milliseconds) override {
    std::unique_lock lock(collector_.mutex);
    collector_.bodies.emplace_back(body);
    collector_.changed.notify_all();
    while (collector_.blocked && Clock::now() < collector_.end_by) {
      collector_.changed.wait_until(lock, std::min(collector_.end_by, Clock::now() + 1h));
    }
    if (collector_.blocked) return {Result::try_again, 0s, "", "too late"};
    return collector_.reply;
  }
  void end_by(Clock::time_point deadline) override {
    const std::lock_guard lock(collector_.mutex);
    collector_.end_by = deadline;
    collector_.changed.notify_all();
  }

 private:
  Collector& collector_;
};

struct Traced {
  explicit Traced(TracerOptions chosen = quick())
      : options(chosen),
        tracer(std::make_unique<Tracer>(options, counts(), std::make_unique<Transport>(collector))),
        recorder(tracer->add_recorder()) {}

  static TracerOptions quick() {
    TracerOptions options;
    options.version = "1";
    options.batch_delay = 1ms;
    options.backoff_min = 1ms;
    options.backoff_max = 4ms;
    return options;
  }
  TracerCounts counts() {
    return {[this](std::uint64_t spans) { exported += spans; },
            [this](std::uint64_t spans) { dropped += spans; }};
  }
  void record(std::string_view name) {
    Span span;
    span.context = recorder->begin(std::nullopt);
    span.name = name;
    recorder->record(span);
  }
  void end() {
    recorder.reset();
    tracer.reset();
  }

  TracerOptions options;
  Collector collector;
  std::atomic<std::uint64_t> exported{0};
  std::atomic<std::uint64_t> dropped{0};
  std::unique_ptr<Tracer> tracer;
  std::unique_ptr<Tracer::Recorder> recorder;
};

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a request without a parent begins a random trace of its own") {
  Traced traced;
  const TraceContext first = traced.recorder->begin(std::nullopt);
  const TraceContext second = traced.recorder->begin(std::nullopt);
  CHECK(first.trace);
  CHECK(first.span != 0);
  CHECK(first.random);
  CHECK(first.sampled);
  CHECK_FALSE(first.trace == second.trace);
  CHECK(first.span != second.span);
}

TEST_CASE("a request continues its parent's trace, and samples as that did") {
  TracerOptions options = Traced::quick();
  const TraceContext sampled{{1, 2}, 3, true, false};
  const TraceContext unsampled{{1, 2}, 3, false, true};
  options.sample_ratio = 0;
  Traced none(options);
  const TraceContext continued = none.recorder->begin(sampled);
  CHECK(continued.trace == sampled.trace);
  CHECK(continued.sampled);
  CHECK_FALSE(continued.random);
  CHECK(continued.span != sampled.span);
  CHECK_FALSE(none.recorder->begin(std::nullopt).sampled);
  Traced all;
  CHECK(all.recorder->begin(unsampled) == unsampled);
}

TEST_CASE("a step is in the same trace with a span of its own") {
  Traced traced;
  const TraceContext request = traced.recorder->begin(std::nullopt);
  TraceContext step = traced.recorder->step(request);
  CHECK(step.span != request.span);
  step.span = request.span;
  CHECK(step == request);
}

TEST_CASE("spans reach the collector in one request, between the words that say who sends them") {
  Traced traced;
  traced.record("first");
  traced.record("second");
  traced.recorder->flush();
  const std::string body = traced.collector.wait_for(1)[0];
  CHECK(body.starts_with(R"({"resourceSpans":[{)"));
  CHECK(body.ends_with("}]}]}]}"));
  CHECK(holds(body, R"("name":"first")"));
  CHECK(holds(body, R"(},{"traceId")"));
  CHECK(holds(body, R"("name":"second")"));
  traced.end();
  CHECK(traced.exported == 2);
  CHECK(traced.dropped == 0);
}

TEST_CASE("the end sends what nobody has flushed") {
  Traced traced;
  traced.record("last");
  traced.end();
  REQUIRE(traced.collector.bodies.size() == 1);
  CHECK(holds(traced.collector.bodies[0], R"("name":"last")"));
  CHECK(traced.exported == 1);
}

TEST_CASE("a batch that the collector does not accept now is sent again unchanged") {
  Traced traced;
  traced.collector.answer(Result::try_again);
  traced.record("patient");
  traced.recorder->flush();
  const auto bodies = traced.collector.wait_for(5);
  CHECK(bodies[4] == bodies[0]);
  CHECK(traced.exported == 0);
  CHECK(traced.dropped == 0);
  traced.collector.answer(Result::taken);
  traced.collector.wait_for(traced.collector.wait_for(5).size() + 1);
  traced.end();
  CHECK(traced.exported == 1);
  CHECK(traced.dropped == 0);
}

TEST_CASE("a batch that the collector refuses is dropped, and the next one is tried") {
  Traced traced;
  traced.collector.answer(Result::refused);
  traced.record("refused");
  traced.recorder->flush();
  traced.collector.wait_for(1);
  traced.record("next");
  traced.recorder->flush();
  traced.collector.wait_for(2);
  traced.end();
  CHECK(traced.dropped == 2);
  CHECK(traced.exported == 0);
}

TEST_CASE("a batch that nobody takes is given up in time") {
  TracerOptions options = Traced::quick();
  options.retry_time = 0ms;
  Traced traced(options);
  traced.collector.answer(Result::try_again);
  traced.record("given up");
  traced.recorder->flush();
  traced.collector.wait_for(1);
  traced.record("next");
  traced.recorder->flush();
  CHECK(holds(traced.collector.wait_for(2)[1], R"("name":"next")"));
}

TEST_CASE("spans of a batch that the collector rejects count as dropped") {
  Traced traced;
  traced.collector.reply.answer = R"({"partialSuccess":{"rejectedSpans":"1"}})";
  traced.record("taken");
  traced.record("rejected");
  traced.end();
  CHECK(traced.exported == 1);
  CHECK(traced.dropped == 1);
}

TEST_CASE(
    "the queue is bounded while the collector keeps everybody waiting, and drops are counted") {
  TracerOptions options = Traced::quick();
  options.queue_bytes_max = 100 * 1024;
  options.batch_bytes = 1;
  options.stop_time = 10ms;
  Traced traced(options);
  traced.collector.block(true);
  constexpr std::uint64_t spans = 10'000;
  for (std::uint64_t i = 0; i < spans; ++i) traced.record("queued");
  traced.recorder->flush();
  CHECK(traced.dropped > 0);
  CHECK(traced.dropped < spans);
  traced.end();
  CHECK(traced.dropped == spans);
  CHECK(traced.exported == 0);
}

TEST_CASE("room in the queue is used again once the collector takes something") {
  TracerOptions options = Traced::quick();
  options.queue_bytes_max = 100 * 1024;
  Traced traced(options);
  traced.collector.block(true);
  while (traced.dropped == 0) {
    traced.record("before");
    traced.recorder->flush();
  }
  traced.collector.wait_for(1);
  traced.collector.block(false);
  const auto deadline = SpanTransport::Clock::now() + patience;
  while (!traced.collector.sent("after")) {
    REQUIRE(SpanTransport::Clock::now() < deadline);
    traced.record("after");
    traced.recorder->flush();
  }
}

TEST_CASE("the end does not wait for a collector that does not answer") {
  TracerOptions options = Traced::quick();
  options.stop_time = 10ms;
  Traced traced(options);
  traced.collector.block(true);
  traced.record("never");
  traced.recorder->flush();
  traced.collector.wait_for(1);
  traced.end();
  CHECK(traced.dropped == 1);
}

TEST_CASE("the end does not wait for the next attempt") {
  TracerOptions options = Traced::quick();
  options.backoff_min = options.backoff_max = 1h;
  Traced traced(options);
  traced.collector.answer(Result::try_again);
  traced.record("later");
  traced.recorder->flush();
  traced.collector.wait_for(1);
  traced.end();
  CHECK(traced.dropped == 1);
  CHECK(traced.collector.bodies.size() <= 2);
}

TEST_CASE("an endpoint that is no URL is an error that names it") {
  TracerOptions options;
  options.endpoint = "http://[";
  CHECK_THROWS_WITH(Tracer(options, {}),
                    Catch::Contains("tracing.endpoint") && Catch::Contains("http://["));
}

}  // namespace onceproxy::telemetry
