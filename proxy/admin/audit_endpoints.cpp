#include "proxy/admin/audit_endpoints.hpp"

#include <string>

#include "proxy/admin/audit_arguments.hpp"
#include "proxy/admin/members.hpp"
#include "proxy/admin/routes.hpp"
#include "store/audit/query.hpp"

namespace onceproxy::admin {
namespace {

using store::AuditAction;
using store::AuditEnd;
using store::AuditForward;
using store::AuditItem;
using store::AuditRefusal;
using store::AuditStart;
using store::Subject;
using store::WallTime;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

void append_subject(JsonObject& object, const Subject& subject) {
  add_text(object, "path", subject.path);
  if (subject.entity_type.empty()) return;
  add_text(object, "entity",
           std::string(subject.entity_type).append("/").append(subject.entity_id));
}

void append_forward(JsonObject& object, const AuditForward& forward, const AuditEnd& end,
                    WallTime now) {
  add_text(object, "decision", store::audit_forwarded);
  add_text(object, "outcome", name(end.outcome));
  add_text(object, "policy", forward.policy);
  append_subject(object, forward.subject);
  add_text(object, "fingerprint", forward.fingerprint.hex());
  add_text(object, "request_id", forward.request_id);
  add_text(object, "trace_id", forward.trace_id);
  object["attempt"] = forward.attempt;
  object["fence"] = forward.fence;
  if (end.time) {
    add_time(object, "ended", *end.time);
    object["duration_ms"] = (*end.time - forward.time).count();
  } else if (end.outcome == store::AuditOutcome::pending) {
    object["age_ms"] = (now - forward.time).count();
  }
  if (end.status != 0) object["status"] = end.status;
  add_text(object, "error", end.error);
}

void append_refusal(JsonObject& object, const AuditRefusal& refusal) {
  add_text(object, "decision", refusal.decision);
  add_text(object, "shadow", refusal.shadow);
  add_text(object, "policy", refusal.policy);
  append_subject(object, refusal.subject);
  if (refusal.fingerprint) add_text(object, "fingerprint", refusal.fingerprint->hex());
  add_text(object, "request_id", refusal.request_id);
  add_text(object, "trace_id", refusal.trace_id);
  add_text(object, "error", refusal.error);
}

void append_action(JsonObject& object, const AuditAction& action) {
  add_text(object, "decision", store::audit_operator);
  add_text(object, "policy", action.policy);
  append_subject(object, action.subject);
  add_text(object, "action", action.action);
  add_text(object, "target", action.target);
  add_text(object, "detail", action.detail);
  add_text(object, "from", action.from);
  if (action.status != 0) object["status"] = action.status;
}

Json json_of(const AuditItem& item, WallTime now) {
  JsonObject object;
  std::visit([&](const auto& entry) { add_time(object, "time", entry.time); }, item.entry);
  if (const auto* const forward = std::get_if<AuditForward>(&item.entry)) {
    append_forward(object, *forward, item.end, now);
  } else if (const auto* const refusal = std::get_if<AuditRefusal>(&item.entry)) {
    append_refusal(object, *refusal);
  } else if (const auto* const action = std::get_if<AuditAction>(&item.entry)) {
    append_action(object, *action);
  } else {
    add_text(object, "decision", store::audit_started);
  }
  return object;
}

Response list(const store::AuditLog& log, const Request& request) {
  const WallTime now = log.now();
  const auto query = parse_audit_query(request.query, now);
  if (!query) return refusal(400, query.error());
  JsonArray items;
  const auto next =
      find(log, *query, [&](const AuditItem& item) { items.push_back(json_of(item, now)); });
  JsonObject body({{"items", std::move(items)}});
  if (next) body["next"] = next->text();
  return json(200, body);
}

void write_down(store::AuditLog& log, const Request& request, const Response& response) {
  std::string detail;
  for (const auto& [name, value] : request.query) {
    detail.append(detail.empty() ? "" : "&").append(name).append("=").append(value);
  }
  const Touched& touched = response.touched;
  const std::string& body = touched.detail ? *touched.detail : request.body;
  if (!body.empty()) detail.append(detail.empty() ? "" : " ").append(body);
  log.act({{},
           request.method,
           request.path,
           detail,
           request.peer,
           response.status,
           touched.policy,
           {touched.path, touched.entity_type, touched.entity_id}});
}

}  // namespace

void add_audit_endpoints(Server& server, store::AuditLog& log) {
  server.add("GET", "/audit",
             "?since=&until=&policy=&decision=&outcome=&fingerprint=&entity=&path=&limit=&cursor=: "
             "what was forwarded, refused and done, newest first",
             [&log](const Request& request) { return list(log, request); });
  server.watch([&log](const Request& request, const Response& response) {
    write_down(log, request, response);
  });
}

}  // namespace onceproxy::admin
