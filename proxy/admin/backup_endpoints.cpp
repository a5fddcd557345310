#include "proxy/admin/backup_endpoints.hpp"

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/admin/members.hpp"
#include "proxy/admin/routes.hpp"

namespace onceproxy::admin {
namespace {

using telemetry::JsonObject;
using Phase = BackupState::Phase;

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::running:
      return "running";
    case Phase::done:
      return "done";
    case Phase::failed:
      return "failed";
    case Phase::none:
      break;
  }
  return "none";
}

Response state_response(const BackupState& state, int status) {
  JsonObject out;
  out["state"] = phase_name(state.phase);
  add_text(out, "directory", state.directory);
  if (state.phase != Phase::none) add_time(out, "begun", state.begun);
  const bool ended = state.phase == Phase::done || state.phase == Phase::failed;
  if (ended) add_time(out, "ended", state.ended);
  add_text(out, "error", state.error);
  if (state.phase == Phase::done) {
    out["files"] = state.files;
    out["bytes"] = state.bytes;
  }
  return json(status, out);
}

Response begin(const Request& request, const BackupHooks& hooks) {
  const auto directory = request.query.find("directory");
  if (request.query.size() != 1 || directory == request.query.end()) {
    return refusal(400, "usage: POST /backup?directory=/an/absolute/path");
  }
  if (!directory->second.starts_with('/')) return refusal(400, "directory: not an absolute path");
  if (!hooks.begin(directory->second)) {
    return refusal(409, "another backup is in progress; GET /backup shows its state");
  }
  return state_response(hooks.state(), 202);
}

}  // namespace

void add_backup_endpoints(Server& server, BackupHooks hooks) {
  const auto shared = std::make_shared<const BackupHooks>(std::move(hooks));
  server.add("POST", "/backup", "?directory=: begin a backup of the store in a new directory",
             [shared](const Request& request) { return begin(request, *shared); });
  server.add("GET", "/backup", "the result of the last backup since the start",
             [shared](const Request&) { return state_response(shared->state(), 200); });
}

}  // namespace onceproxy::admin
