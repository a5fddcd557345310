// AttemptCall: the HTTP part of one attempt. It sends the request to the listener and reads the
// whole answer, with one timeout from connecting to the end of the answer. It does not interpret
// the answer. Not thread-safe: used on one event loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/io/loop_timer.hpp"
#include "proxy/io/side_task.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::delivery {

class AttemptCall {
 public:
  struct Terms {
    std::chrono::milliseconds timeout{10'000};
    /// How many bytes of the answer's body are kept. If the body is longer than `body_bytes_max`,
    /// the rest is not read, and the connection is closed.
    std::size_t body_bytes_kept = 0;
    std::size_t body_bytes_max = std::size_t{1} << 20;
  };

  /// `pool` and `setup` must outlive the exchange, as for UpstreamCall.
  AttemptCall(io::EventLoop& loop, http::UpstreamPool& pool,
              const std::shared_ptr<const http::Setup>& setup, std::string_view method,
              io::Slots* turns, const Terms& terms)
      : loop_(loop), terms_(terms), call_(pool, setup, method, turns) {}

  /// `lapsed` is called right before the first byte is written. If it returns true, nothing is
  /// sent, and the call ends as busy.
  void unless(std::function<bool()> lapsed) { call_.unless(std::move(lapsed)); }
  /// Sends the request and reads the answer. `parts` must stay valid until the task has ended.
  /// `sent` is called when the answer has arrived, or one second after the last byte was written;
  /// it may be called more than once.
  io::Task<void> run(io::Stream::Parts parts, std::function<void()> sent);

  /// No byte of the request was sent.
  bool not_sent() const { return not_sent_; }
  /// There was no free turn or connection.
  bool busy() const { return busy_; }
  /// The status of a complete answer; 0 if there was none.
  int status() const { return status_; }
  /// The reason why there was no answer, as a sentence.
  const std::string& error() const { return error_; }
  /// The head of the answer, and the beginning of its body.
  const http::ResponseHead& head() const { return call_.head; }
  std::string_view body() const { return body_; }
  /// Whether body() contains the whole body.
  bool body_whole() const { return body_whole_; }

 private:
  io::Task<void> ask(io::Stream::Parts parts);
  io::Task<void> send_rest();
  io::Task<bool> read_final_head();
  io::Task<void> read_body();
  void note(const http::UpstreamCall::Failure& failure);
  void fail(std::string_view error);

  io::EventLoop& loop_;
  const Terms terms_;
  http::UpstreamCall call_;
  io::SideTask sending_;
  bool not_sent_ = false;
  bool busy_ = false;
  bool timed_out_ = false;
  int status_ = 0;
  std::string error_;
  std::string body_;
  bool body_whole_ = false;
  std::function<void()> sent_;
  /// Runs until one second after the last byte was written.
  std::optional<io::LoopTimer> on_its_way_;
};

}  // namespace onceproxy::delivery
