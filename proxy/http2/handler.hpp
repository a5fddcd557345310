// Handler: answers the requests of a port, each in its own task.
#pragma once

#include "proxy/http2/exchange.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http2 {

class Handler {
 public:
  /// Serves one request. The exchange exists as long as the task. If the task throws an exception,
  /// or returns without having ended the answer, the stream fails. An exception is logged and
  /// counted.
  virtual io::Task<void> serve(Exchange& exchange) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace onceproxy::http2
