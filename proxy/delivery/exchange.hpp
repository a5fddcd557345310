// Exchange: one attempt as HTTP: the request to the listener and its whole answer, within one time
// from connecting to the answer's end. It judges nothing.
// Not thread-safe: one event loop.
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

class Exchange {
 public:
  struct Terms {
    std::chrono::milliseconds timeout{10'000};
    /// So much of an answer's body is kept. One that is longer than `body_bytes_max` is not read to
    /// its end, and its connection is closed.
    std::size_t body_bytes_kept = 0;
    std::size_t body_bytes_max = std::size_t{1} << 20;
  };

  /// `pool` and `setup` must stay; as in UpstreamCall.
  Exchange(io::EventLoop& loop, http::UpstreamPool& pool,
           const std::shared_ptr<const http::Setup>& setup, std::string_view method,
           io::Slots* turns, const Terms& terms)
      : loop_(loop), terms_(terms), call_(pool, setup, method, turns) {}

  /// Sends and reads; `parts` must stay until it has ended. `sent` is called, perhaps several
  /// times, when the answer is there or a second after the last byte was written.
  io::Task<void> run(io::Stream::Parts parts, std::function<void()> sent);

  /// Not a byte of the request reached the listener.
  bool not_sent() const { return not_sent_; }
  /// Nobody had a turn or a connection to give.
  bool busy() const { return busy_; }
  /// The status of the whole answer; 0: there was none.
  int status() const { return status_; }
  /// Why there was none, as a sentence.
  const std::string& error() const { return error_; }
  /// Of the answer, and its body's beginning.
  const http::ResponseHead& head() const { return call_.head; }
  std::string_view body() const { return body_; }
  /// All of the body is in body().
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
  /// Until a second after the last byte was written.
  std::optional<io::LoopTimer> on_its_way_;
};

}  // namespace onceproxy::delivery
