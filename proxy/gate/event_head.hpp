// The fields of a request that are stored with its event, for its listeners. Not stored are fields
// of the connection and of framing, fields that onceproxy writes itself, and credentials of the
// client (Authorization, Cookie). Credentials are stored if a listener names them, or if the
// listener is the service itself, which also gets the request's Host. Pure; thread-safe.
#pragma once

#include <span>
#include <string>

#include "policies/delivery.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::gate {

/// Lines, each "name: value\r\n", in their order in the request. The sender of the event decides
/// which listener gets which of the named fields.
std::string event_head(std::span<const policies::Field> fields,
                       const policies::ListenerList& listeners, bool to_upstream);

}  // namespace onceproxy::gate
