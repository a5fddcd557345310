// HTTP/2 sessions: whatever a client sends, in whatever pieces, the heads of its frames are the
// same, what is kept for it is bounded, what is sent to it is frames, and every exchange that began
// ends. The input's first byte says how the rest is cut up.
#include <coroutine>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "claim.hpp"
#include "proxy/http2/session.hpp"
#include "proxy/io/task.hpp"

using namespace onceproxy;
using namespace onceproxy::http2;

namespace {

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

Limits small() {
  Limits limits;
  limits.streams = 8;
  limits.header_bytes = 2'000;
  limits.header_fields = 20;
  limits.stream_window = limits.connection_window = 65'535;
  limits.resets = limits.pings = limits.settings = limits.empty_frames = limits.priorities =
      limits.window_updates = limits.other_frames = {20, 1};
  return limits;
}

/// Answers in one of several ways, by the path.
io::Task<void> serve(Exchange& exchange) {
  const std::string& path = exchange.request().path;
  const char how = path.size() > 1 ? path[1] : 'e';
  if (how == 'n') co_return;
  if (how == 'f') exchange.respond(404, {}, true);
  if (how == 'r') exchange.reset(cancel_error);
  if (how == 'i') exchange.interim(103, {});
  if (!exchange.open()) co_return;
  exchange.respond(200, {{"x", "y"}});
  std::string kept;
  while (true) {
    const auto got = co_await exchange.read();
    if (got == Exchange::Read::gone) co_return;
    if (got == Exchange::Read::end) break;
    const std::string_view body = exchange.body();
    claim(!body.empty(), "bytes are not empty");
    kept = body;
    const bool written = co_await exchange.write(body);
    claim(exchange.body() == kept, "a view of the body does not change");
    if (!written) co_return;
    exchange.consume(body.size());
  }
  if (how == 'l') {
    const Exchange::Parts parts{"the", " last"};
    const bool written = co_await exchange.write_last(parts, exchange.trailers());
    claim(!written || !exchange.open(), "the answer has ended");
    co_return;
  }
  exchange.end(exchange.trailers());
}

io::Task<void> handle(Exchange::Pointer exchange) {
  co_await serve(*exchange);
  exchange->handler_ended();
}

std::vector<std::string> heads_of(std::string_view bytes, std::size_t piece) {
  FrameHeads heads;
  std::vector<std::string> found;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view part = bytes.substr(at, piece);
    while (const auto head = heads.next(part)) {
      found.push_back(std::to_string(head->length) + " " + std::to_string(head->type) + " " +
                      std::to_string(head->flags) + " " + std::to_string(head->stream));
    }
    claim(part.empty(), "all is looked at");
  }
  return found;
}

/// What a server sends is whole frames, none larger than a client allows.
void check_frames(std::string_view out) {
  while (!out.empty()) {
    claim(out.size() >= FrameHeads::head_bytes, "a frame has a head");
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(out[i]); };
    const std::size_t length =
        std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | std::size_t{byte(2)};
    claim(out.size() >= FrameHeads::head_bytes + length, "a frame is whole");
    out.remove_prefix(FrameHeads::head_bytes + length);
  }
}

class World final : private Session::Owner {
 public:
  World(std::string_view input, std::size_t piece) : input_(input), piece_(piece) {
    Session::Owner& owner = *this;
    session_.emplace(owner, loop_, limits_, origin_, counters_);
    loop_.run();
    claim(origin_->handlers == 0, "every handler has ended");
    claim(counters_.streams() == 0, "every stream has ended");
  }

 private:
  void wants_to_write() override {}

  void send() {
    std::string out;
    session_->frames(out, 1'000'000, loop_.now());
    check_frames(out);
  }

  bool round() {
    if (session_) {
      const std::string_view part = input_.substr(0, piece_);
      input_.remove_prefix(part.size());
      // Memory of its own, so that a look behind it is seen.
      const std::unique_ptr<char[]> memory(new char[part.size()]);
      part.copy(memory.get(), part.size());
      const bool good = session_->receive({memory.get(), part.size()}, loop_.now());
      while (Exchange::Pointer exchange = session_->begun()) {
        io::start(handle(std::move(exchange)));
      }
      claim(origin_->handlers <= limits_.streams, "handlers are bounded");
      claim(session_->open_exchanges() > 0 || origin_->handlers > 0 || session_->held_bytes() == 0,
            "without a request, the window of the connection is whole");
      send();
      if (input_.empty()) ++idle_;
      if (!good || session_->over() || idle_ > 3) session_.reset();
    } else if (++idle_ > 8) {
      loop_.stop();
    }
    return false;
  }

  std::string_view input_;
  const std::size_t piece_;
  io::EventLoop loop_{[] {}, [this](bool) { return round(); }};
  const Limits limits_ = small();
  telemetry::Http2Counters counters_;
  const std::shared_ptr<Origin> origin_ = std::make_shared<Origin>();
  std::optional<Session> session_;
  int idle_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? 65'536 : data[0];
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Nearly always a client greets as it should.
  if (data[0] % 16 != 15) input.insert(0, preface);
  claim(heads_of(input, piece) == heads_of(input, 65'536), "heads do not depend on the pieces");
  World world(input, piece);
  return 0;
}
