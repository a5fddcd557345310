// AbandonedCall: what is left of a request to the upstream that nobody waits for any more: the
// client has its 504, or is gone, and the upstream still works on it. Where the number of requests
// under way is limited, its turns must stay taken for so long: closing the connection would not
// stop the upstream, and the next request would run beside this one.
//
// The late answer is read, strictly enough to find its end, and is discarded: the outcome was
// recorded as unknown when the client was answered, by the one who held the permit.
// Not thread-safe: its worker's loop.
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

  /// What is handed over by the call that ends.
  struct Rest {
    /// Keeps what the turns belong to, so it is destroyed after them.
    std::shared_ptr<const Setup> setup;
    Lease connection;
    /// Given back with the AbandonedCall, the connection before them.
    std::optional<io::Slots::Taken> policy_turn;
    std::optional<io::Slots::Taken> turn;
    /// Of the request; it decides whether the answer has a body.
    std::string method;
    /// Where the final answer's body has begun.
    std::optional<BodyReader> body;
  };

  explicit AbandonedCall(Rest rest) : rest_(std::move(rest)) {}
  ~AbandonedCall() { rest_.connection.reset(); }
  AbandonedCall(const AbandonedCall&) = delete;
  AbandonedCall& operator=(const AbandonedCall&) = delete;

  /// Reads until the answer's end, for abandoned_timeout at most. Called once.
  Task<End> run(const UpstreamOptions& options);
  /// run() ends a little later. Again and again, if need be.
  void stop();

 private:
  bool take(const HeadLimits& limits);
  bool take_heads(const HeadLimits& limits);

  Rest rest_;
  ResponseHead head_;
  bool stopped_ = false;
};

}  // namespace onceproxy::http
