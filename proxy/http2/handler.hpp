// Handler: serves the requests of a port, each by a task of its own.
#pragma once

#include "proxy/http2/exchange.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http2 {

class Handler {
 public:
  /// Serves one request. The exchange stays as long as the task. What it throws is logged and
  /// counted, and the stream fails; the same where it returns without having ended the answer.
  virtual io::Task<void> serve(Exchange& exchange) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace onceproxy::http2
