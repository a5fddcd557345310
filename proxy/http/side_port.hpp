// SidePort: a port with another protocol that the workers of the data port serve, on their loops
// and with their gates. Both ports then share policies, records, limits and counters. Its protocol
// is not known here. Not thread-safe: used on its worker's loop, or before the loop runs.
#pragma once

#include <functional>
#include <memory>

#include "proxy/gate/gate.hpp"
#include "proxy/http/buffer_budget.hpp"
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

  /// Accepts connections from a listening socket. Called before start().
  virtual void listen(io::Acceptor acceptor) = 0;
  virtual void start() = 0;
  /// Accepts nothing new; calls under way continue.
  virtual void drain() = 0;
  /// Aborts calls under way; their outcomes become unknown.
  virtual void close() = 0;
  /// Whether nothing is under way. While draining, this does not change any more.
  virtual bool idle() const = 0;
};

/// The parts of the worker that it uses; all outlive it.
struct SidePortParts {
  io::EventLoop& loop;
  store::Loop& home;
  /// Read when a request begins.
  const std::shared_ptr<const Setup>& setup;
  gate::Gate& gate;
  UpstreamPool& upstream;
  RequestReports& reports;
  NearMisses& near_misses;
  telemetry::WorkerMetrics& metrics;
  const HttpDate& date;
  /// Of the bodies that are still arriving.
  const BufferBudget::Account& bodies;
};

/// Creates the port of each worker.
using MakeSidePort = std::function<std::unique_ptr<SidePort>(const SidePortParts&)>;

/// Its address; if the function is empty, there is no port.
struct SideListener {
  Endpoint endpoint;
  MakeSidePort make;
  /// The largest message that the port accepts.
  std::size_t message_bytes_max = 0;
};

}  // namespace onceproxy::http
