// What an operator sees of the store and changes in it: /records and /entities of openapi.yaml. It
// never shows the body of a stored answer or a payload.
#pragma once

#include <functional>
#include <string_view>

#include "proxy/admin/resolved_answer.hpp"
#include "proxy/admin/server.hpp"
#include "store/inspection.hpp"

namespace onceproxy::admin {

/// Called after each change that was asked for: what was asked, of which fingerprint or entity, and
/// how it ended. On the server's thread.
using OperatorActed =
    std::function<void(std::string_view action, std::string_view target, std::string_view result)>;

struct RecordHooks {
  OperatorActed acted;
  /// Of an answer that an operator gives.
  WrongField wrong_field;
};

/// `inspection` outlives the server.
void add_record_endpoints(Server& server, store::Inspection& inspection, RecordHooks hooks);

}  // namespace onceproxy::admin
