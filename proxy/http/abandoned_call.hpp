// AbandonedCall: a request to the upstream whose result is not needed any more. The client has its
// 504 or has disconnected, and the upstream still works on the request. If the number of requests
// under way is limited, its turns stay taken meanwhile. Closing the connection would not stop the
// upstream, and the next request would run at the same time.
//
// The late answer is parsed, so that its end is found, and discarded. The outcome was recorded as
// unknown when the client was answered. Not thread-safe: used on its worker's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/http/body_reader.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream_connection.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http {

using io::Task;

class AbandonedCall {
 public:
  using End = telemetry::AbandonedEnd;

  /// The parts that the ending call hands over.
  struct Rest {
    /// Keeps the owner of the turns alive, so it is destroyed after them.
    std::shared_ptr<const Setup> setup;
    Lease connection;
    /// Returned with the AbandonedCall, after the connection has been closed.
    std::optional<io::Slots::Taken> policy_turn;
    std::optional<io::Slots::Taken> turn;
    /// The method of the request; it determines whether the answer has a body.
    std::string method;
    /// Whether the body of the final answer has begun.
    std::optional<BodyReader> body;
  };

  explicit AbandonedCall(Rest rest) : rest_(std::move(rest)) {}
  ~AbandonedCall() { rest_.connection.reset(); }
  AbandonedCall(const AbandonedCall&) = delete;
  AbandonedCall& operator=(const AbandonedCall&) = delete;

  /// Reads to the end of the answer, for at most abandoned_timeout. Called once.
  Task<End> run(const UpstreamOptions& options);
  /// Makes run() end a little later. May be called repeatedly.
  void stop();

 private:
  bool take(const HeadLimits& limits);
  bool take_heads(const HeadLimits& limits);

  Rest rest_;
  ResponseHead head_;
  bool stopped_ = false;
};

}  // namespace onceproxy::http
