// Services: the methods of a port, by path. They are added before the port listens and only read
// afterwards. Each worker has its own object, so that a handler can belong to the worker's loop.
//
// Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/grpc/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::grpc {

/// Serves one call until it has been finished or the client is gone. It may throw: the call then
/// ends as `internal`, and the exception is logged and counted.
using Handler = std::function<io::Task<void>(ServerStream& stream)>;

class Services {
 public:
  /// `path`: "/package.Service/Method". The handler and everything that it captures must outlive
  /// the port. It must be a function that returns a task, and not a coroutine itself.
  void add(std::string path, Handler handler) {
    methods_.insert_or_assign(std::move(path), std::move(handler));
  }

  /// Returns nullptr if there is no such method; the client then gets UNIMPLEMENTED.
  const Handler* find(std::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Handler, std::less<>> methods_;
};

}  // namespace onceproxy::grpc
