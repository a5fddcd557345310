// SidePort: a port of another protocol that the workers of the data port serve, on their loops and
// with their gates, so that both ports share policies, records, limits and counters. What it speaks
// is not known here.
// Not thread-safe: its worker's loop, or before that runs.
#pragma once

#include <functional>
#include <memory>

#include "proxy/gate/gate.hpp"
#include "proxy/http/http_date.hpp"
#include "proxy/http/near_misses.hpp"
#include "proxy/http/request_reports.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

class SidePort {
 public:
  virtual ~SidePort() = default;

  /// Takes connections from a socket that listens. Before start().
  virtual void listen(io::Acceptor acceptor) = 0;
  virtual void start() = 0;
  /// Takes nothing new, and lets what is under way end.
  virtual void drain() = 0;
  /// Ends what is under way; outcomes become unknown.
  virtual void close() = 0;
  /// Nothing is under way. While draining, that stays.
  virtual bool idle() const = 0;
};

/// What it has of its worker; all outlives it.
struct SidePortParts {
  io::EventLoop& loop;
  store::Loop& home;
  /// Looked at as a request begins.
  const std::shared_ptr<const Setup>& setup;
  gate::Gate& gate;
  UpstreamPool& upstream;
  RequestReports& reports;
  NearMisses& near_misses;
  telemetry::WorkerMetrics& metrics;
  const HttpDate& date;
};

/// Makes one for each worker.
using MakeSidePort = std::function<std::unique_ptr<SidePort>(const SidePortParts&)>;

/// Where it listens; no function: there is no such port.
struct SideListener {
  Endpoint endpoint;
  MakeSidePort make;
};

}  // namespace onceproxy::http
