// Dispatcher: the way of a request, step by step: it brings the path into normal form, finds the
// policies that may cover the request, and hands it to the steps that serve it, each with what the
// one before has found out.
// Not thread-safe: its worker's loop. One for each worker.
#pragma once

#include <chrono>
#include <memory>

#include "proxy/gate/gate.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/near_misses.hpp"
#include "proxy/http/request_reports.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/io/pipes.hpp"

namespace onceproxy::http {

class Dispatcher {
 public:
  /// What the worker's requests share; all must outlive the dispatcher.
  struct Parts {
    /// Looked at as a request begins.
    const std::shared_ptr<const Setup>& setup;
    gate::Gate& gate;
    UpstreamPool& upstream;
    /// For bodies that the kernel moves.
    io::Pipes& pipes;
    RequestReports& reports;
    telemetry::WorkerMetrics& metrics;
    const HttpDate& date;
    /// For bodies of covered requests that are still arriving, and for answers that are captured.
    BufferBudget::Account bodies;
    BufferBudget::Account answers;
  };
  explicit Dispatcher(const Parts& parts) : parts_(parts), near_misses_(parts.metrics) {}

  /// A request whose head is in `memory` begins. Its head is complete, or it is refused.
  Exchange begin(Client& client, RequestMemory& memory, Exchange::Clock::time_point began);

  /// Serves a request whose head is well-formed. When it ends, the client was answered as far as
  /// that was possible.
  Task<void> dispatch(Client& client, Exchange& exchange);

  NearMisses& near_misses() { return near_misses_; }

 private:
  using Candidates = std::vector<const policies::Policy*>;

  bool may_be_covered(Exchange& exchange, const Candidates& candidates);

  const Parts parts_;
  NearMisses near_misses_;
};

}  // namespace onceproxy::http
