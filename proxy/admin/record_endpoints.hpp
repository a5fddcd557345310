// /records and /entities (openapi.yaml): shows the store to an operator, and changes it. The body
// of a stored answer and payloads are never shown.
#pragma once

#include <functional>
#include <string_view>

#include "proxy/admin/resolved_answer.hpp"
#include "proxy/admin/server.hpp"
#include "store/inspection.hpp"

namespace onceproxy::admin {

/// Called on the server's thread after each requested change, with the action, the fingerprint or
/// entity, and the result.
using OperatorActed =
    std::function<void(std::string_view action, std::string_view target, std::string_view result)>;

struct RecordHooks {
  OperatorActed acted;
  /// For an answer that an operator gives.
  WrongField wrong_field;
};

/// `inspection` must outlive the server.
void add_record_endpoints(Server& server, store::Inspection& inspection, RecordHooks hooks);

}  // namespace onceproxy::admin
