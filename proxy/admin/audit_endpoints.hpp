// GET /audit (openapi.yaml): forwarded requests with their outcomes, refusals, and changes by
// operators, read from the store's audit log. It also records every request to this server that may
// have changed something.
#pragma once

#include "proxy/admin/server.hpp"
#include "store/audit/log.hpp"

namespace onceproxy::admin {

/// `log` must outlive the server.
void add_audit_endpoints(Server& server, store::AuditLog& log);

}  // namespace onceproxy::admin
