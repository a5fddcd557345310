#include "proxy/program_state.hpp"

namespace onceproxy {

using admin::ServerState;

void ProgramState::started() {
  auto starting = ServerState::pre_initializing;
  state_.compare_exchange_strong(starting, ServerState::live);
}

ServerState ProgramState::state() const {
  const ServerState state = state_.load();
  const bool leaving = state == ServerState::live && failed_by_operator_;
  return leaving ? ServerState::draining : state;
}

std::optional<std::string> ProgramState::why_not_ready() const {
  switch (state_.load()) {
    case ServerState::pre_initializing:
      return "starting";
    case ServerState::draining:
      return "draining";
    case ServerState::live:
      break;
  }
  if (failed_by_operator_) return "health check failed by an operator";
  if (std::string trouble = store_.trouble(); !trouble.empty()) return trouble;
  return std::nullopt;
}

}  // namespace onceproxy
