// What an Envoy may tell: any messages in any order, and an end at any time. Nothing is let through
// without a reservation, each message gets one reply at most, of its own kind, and whatever comes,
// the reservation is settled, and the stream never ends as if all were well while Envoy waits.
#include <fcntl.h>

#include <memory>
#include <string>

#include "../unit/proxy/ext_proc/fake_envoy.hpp"
#include "../unit/proxy/gate/fake_store.hpp"
#include "claim.hpp"
#include "policies/path_template.hpp"
#include "proxy/ext_proc/call.hpp"

using namespace onceproxy;
using ext_proc::ProcessingRequest;
using ext_proc::ProcessingResponse;

namespace {

policies::Policy policy() {
  policies::Policy out;
  out.name = out.name_space = "any";
  out.match.methods = {"POST"};
  out.match.has_path = true;
  out.match.path = policies::parse_path_template("/pay/**").value();
  policies::Selector key;
  key.source = policies::Source::content;
  key.text = "content";
  out.fingerprint = {key};
  out.outcome.release.add_class(5);
  return out;
}

struct NoClock final : store::Clock {
  store::WallTime now() const override { return store::WallTime(std::chrono::seconds(1'000'000)); }
};

/// What does not change from input to input.
struct World {
  telemetry::Metrics metrics{"fuzz"};
  telemetry::WorkerMetrics& worker = metrics.add_worker();
  telemetry::AccessLog log{[] {
                             telemetry::AccessLog::Options options;
                             options.descriptor = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
                             return options;
                           }(),
                           [](std::uint64_t) {}};
  http::RequestReports reports{worker, log.add_writer(), nullptr, nullptr};
  http::HttpDate date;
  http::NearMisses near_misses{worker};
  ext_proc::AnswersKept answers;
  ext_proc::Arenas arenas;
  NoClock clock;
  std::shared_ptr<const gate::Rules> rules =
      std::make_shared<gate::Rules>(std::vector<policies::Policy>{policy()}, metrics);
  std::shared_ptr<const http::Setup> setup = std::make_shared<const http::Setup>(
      http::Setup{{}, rules, "service", http::GuardedFields(rules->policies().policies())});
};

io::Task<void> serve(ext_proc::Call& call, bool& over) {
  co_await call.run();
  over = true;
}

/// The reply is of the message's kind, or an answer at once.
bool matches(const ProcessingRequest& message, const ProcessingResponse& reply) {
  if (reply.has_immediate_response()) return true;
  return message.has_request_headers() == reply.has_request_headers() &&
         message.has_request_body() == reply.has_request_body() &&
         message.has_request_trailers() == reply.has_request_trailers() &&
         message.has_response_headers() == reply.has_response_headers() &&
         message.has_response_body() == reply.has_response_body() &&
         message.has_response_trailers() == reply.has_response_trailers();
}

}  // namespace

/// The input: messages, each behind two bytes of its length.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World& world = *new World();
  gate::testing::FakeStore store;
  gate::testing::DirectLoop loop;
  gate::Gate gate(store, loop, world.clock, world.worker);
  ext_proc::testing::FakeEnvoy envoy;
  const ext_proc::Call::Parts parts{gate,          loop,         world.date,
                                    world.reports, world.worker, world.near_misses,
                                    world.answers, world.arenas, nullptr};
  ext_proc::Call call(parts, world.setup, envoy);
  bool over = false;
  bool head_came_by = false;
  io::start(serve(call, over));
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 2 && !over) {
    const std::size_t length =
        static_cast<unsigned char>(rest[0]) * 256U + static_cast<unsigned char>(rest[1]);
    const std::string text(rest.substr(2, length));
    rest.remove_prefix(std::min(rest.size(), 2 + length));
    const std::size_t said = envoy.said.size();
    envoy.tell(text);
    claim(envoy.said.size() <= said + 1, "a message gets one reply at most");
    ProcessingRequest message;
    const bool is_one = message.ParseFromString(text);
    if (envoy.said.size() == said) {
      claim(over || message.observability_mode(), "what gets no reply ends the stream");
      continue;
    }
    claim(is_one && matches(message, envoy.said.back()), "a reply is of its message's kind");
    head_came_by = head_came_by || message.has_request_headers();
    claim(head_came_by || !(message.has_request_body() || message.has_request_trailers()),
          "nothing of a request passes without its head");
  }
  if (!over) envoy.reset();
  claim(over, "the end of the stream is the end of the call");
  int open = 0;
  for (const auto& asked : store.asked) open += asked.verb == "reserve" ? 1 : -1;
  claim(open == 0 && store.permits_dropped == 0, "what was reserved was settled");
  return 0;
}
