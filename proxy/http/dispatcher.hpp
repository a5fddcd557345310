// Dispatcher: calls the steps of a request one after the other. It brings the path into normal form
// and finds the policies that may cover the request. It then calls the steps that serve it, each
// with the results of the previous one. Not thread-safe: used on its worker's loop. Each worker has
// one.
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
  /// Shared by the worker's requests; all members must outlive the dispatcher.
  struct Parts {
    /// Read when a request begins.
    const std::shared_ptr<const Setup>& setup;
    gate::Gate& gate;
    UpstreamPool& upstream;
    /// For bodies that the kernel moves.
    io::Pipes& pipes;
    RequestReports& reports;
    telemetry::WorkerMetrics& metrics;
    const HttpDate& date;
    /// For arriving bodies of covered requests, and for answers that are captured.
    BufferBudget::Account bodies;
    BufferBudget::Account answers;
  };
  explicit Dispatcher(const Parts& parts) : parts_(parts), near_misses_(parts.metrics) {}

  /// A request begins, whose head is in `memory`. The head is complete, or it is refused.
  Exchange begin(Client& client, RequestMemory& memory, Exchange::Clock::time_point began);

  /// Serves a request with a well-formed head. When the task ends, the client has been answered as
  /// far as possible.
  Task<void> dispatch(Client& client, Exchange& exchange);

  NearMisses& near_misses() { return near_misses_; }

 private:
  using Candidates = std::vector<const policies::Policy*>;

  bool may_be_covered(Exchange& exchange, const Candidates& candidates);

  const Parts parts_;
  NearMisses near_misses_;
};

}  // namespace onceproxy::http
