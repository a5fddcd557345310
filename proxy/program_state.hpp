// ProgramState: the state of the program as the admin API and the probes report it, and the reason
// why it is not ready, if it is not. Thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "proxy/admin/admin_endpoints.hpp"
#include "proxy/opened_store.hpp"

namespace onceproxy {

class ProgramState {
 public:
  /// `store` must outlive it.
  explicit ProgramState(const OpenedStore& store) : store_(store) {}

  /// The start has succeeded. Has no effect if a drain has begun already.
  void started();
  void draining() { state_ = admin::ServerState::draining; }
  /// An operator lets the health check fail, or no longer.
  void fail_by_operator(bool fail) { failed_by_operator_ = fail; }

  /// As in Envoy, a program whose health check an operator lets fail is reported as draining.
  admin::ServerState state() const;
  /// Nothing if the program is ready.
  std::optional<std::string> why_not_ready() const;

 private:
  const OpenedStore& store_;
  std::atomic<admin::ServerState> state_ = admin::ServerState::pre_initializing;
  std::atomic<bool> failed_by_operator_ = false;
};

}  // namespace onceproxy
