#include "proxy/admin/audit_endpoints.hpp"

#include <string>

#include "proxy/admin/audit_arguments.hpp"
#include "proxy/admin/json_object.hpp"
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

void append_subject(Object& object, const Subject& subject) {
  object.text("path", subject.path);
  if (subject.entity_type.empty()) return;
  object.text("entity", std::string(subject.entity_type).append("/").append(subject.entity_id));
}

void append_forward(Object& object, const AuditForward& forward, const AuditEnd& end,
                    WallTime now) {
  object.text("decision", store::audit_forwarded);
  object.text("outcome", name(end.outcome));
  object.text("policy", forward.policy);
  append_subject(object, forward.subject);
  object.text("fingerprint", forward.fingerprint.hex());
  object.text("request_id", forward.request_id);
  object.text("trace_id", forward.trace_id);
  object.number("attempt", forward.attempt);
  object.number("fence", forward.fence);
  if (end.time) {
    object.time("ended", *end.time);
    object.number("duration_ms", (*end.time - forward.time).count());
  } else if (end.outcome == store::AuditOutcome::pending) {
    object.number("age_ms", (now - forward.time).count());
  }
  if (end.status != 0) object.number("status", end.status);
  object.text("error", end.error);
}

void append_refusal(Object& object, const AuditRefusal& refusal) {
  object.text("decision", refusal.decision);
  object.text("shadow", refusal.shadow);
  object.text("policy", refusal.policy);
  append_subject(object, refusal.subject);
  if (refusal.fingerprint) object.text("fingerprint", refusal.fingerprint->hex());
  object.text("request_id", refusal.request_id);
  object.text("trace_id", refusal.trace_id);
  object.text("error", refusal.error);
}

void append_action(Object& object, const AuditAction& action) {
  object.text("decision", store::audit_operator);
  object.text("policy", action.policy);
  append_subject(object, action.subject);
  object.text("action", action.action);
  object.text("target", action.target);
  object.text("detail", action.detail);
  object.text("from", action.from);
  if (action.status != 0) object.number("status", action.status);
}

void append_item(std::string& out, const AuditItem& item, WallTime now) {
  Object object(out);
  std::visit([&](const auto& entry) { object.time("time", entry.time); }, item.entry);
  if (const auto* const forward = std::get_if<AuditForward>(&item.entry)) {
    append_forward(object, *forward, item.end, now);
  } else if (const auto* const refusal = std::get_if<AuditRefusal>(&item.entry)) {
    append_refusal(object, *refusal);
  } else if (const auto* const action = std::get_if<AuditAction>(&item.entry)) {
    append_action(object, *action);
  } else {
    object.text("decision", store::audit_started);
  }
  object.end();
}

Response list(const store::AuditLog& log, const Request& request) {
  const WallTime now = log.now();
  const auto query = parse_audit_query(request.query, now);
  if (!query) return refusal(400, query.error());
  std::string body = "{\"items\":[";
  const auto next = find(log, *query, [&](const AuditItem& item) {
    if (body.back() == '}') body += ',';
    append_item(body, item, now);
  });
  body += ']';
  if (next) body.append(",\"next\":\"").append(next->text()).append("\"");
  return json(200, body + "}\n");
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
