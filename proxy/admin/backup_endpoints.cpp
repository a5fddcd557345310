#include "proxy/admin/backup_endpoints.hpp"

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/admin/json_object.hpp"
#include "proxy/admin/routes.hpp"

namespace onceproxy::admin {
namespace {

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
  std::string body;
  Object object(body);
  object.text("state", phase_name(state.phase));
  object.text("directory", state.directory);
  if (state.phase != Phase::none) object.time("begun", state.begun);
  const bool ended = state.phase == Phase::done || state.phase == Phase::failed;
  if (ended) object.time("ended", state.ended);
  object.text("error", state.error);
  if (state.phase == Phase::done) {
    object.number("files", state.files);
    object.number("bytes", state.bytes);
  }
  object.end();
  return json(status, body + "\n");
}

Response begin(const Request& request, const BackupHooks& hooks) {
  const auto directory = request.query.find("directory");
  if (request.query.size() != 1 || directory == request.query.end()) {
    return refusal(400, "usage: POST /backup?directory=/an/absolute/path");
  }
  if (!directory->second.starts_with('/')) return refusal(400, "directory: not an absolute path");
  if (!hooks.begin(directory->second)) {
    return refusal(409, "a backup is being made already; GET /backup tells of it");
  }
  return state_response(hooks.state(), 202);
}

}  // namespace

void add_backup_endpoints(Server& server, BackupHooks hooks) {
  const auto shared = std::make_shared<const BackupHooks>(std::move(hooks));
  server.add("POST", "/backup", "?directory=: begin a backup of the store in a new directory",
             [shared](const Request& request) { return begin(request, *shared); });
  server.add("GET", "/backup", "what became of the last backup since the start",
             [shared](const Request&) { return state_response(shared->state(), 200); });
}

}  // namespace onceproxy::admin
