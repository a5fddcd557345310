// The fields of a request that are stored with its event, for its listeners: all but those of the
// connection and of framing, those that onceproxy writes itself, and those by which the client
// proves itself to this service alone (Authorization, Cookie), unless a listener names them, or the
// listener is the service itself: that gets them, and the request's Host.
// Pure; thread-safe.
#pragma once

#include <span>
#include <string>

#include "policies/delivery.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::gate {

/// Lines, each "name: value\r\n", in the order in which they came. Which of the named ones goes to
/// which listener is for the sender to mind.
std::string event_head(std::span<const policies::Field> fields,
                       const policies::ListenerList& listeners, bool to_upstream);

}  // namespace onceproxy::gate
