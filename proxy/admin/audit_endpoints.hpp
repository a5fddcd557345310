// GET /audit: what was forwarded and how it ended, what was refused, and what operators did
// (openapi.yaml), read from the store's audit log. With it, every request that may have
// changed something through this server is written down there.
#pragma once

#include "proxy/admin/server.hpp"
#include "store/audit/log.hpp"

namespace onceproxy::admin {

/// `log` outlives the server.
void add_audit_endpoints(Server& server, store::AuditLog& log);

}  // namespace onceproxy::admin
