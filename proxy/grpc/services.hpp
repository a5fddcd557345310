// Services: the methods that a port serves, by path. Filled before the port listens; read from then
// on. One for each worker, so that a handler may belong to its worker's loop.
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

/// Serves one call, until it has been finished or the peer is gone. May throw: the call ends as
/// `internal`, and the exception is logged and counted.
using Handler = std::function<io::Task<void>(ServerStream& stream)>;

class Services {
 public:
  /// `path`: "/package.Service/Method". The handler must outlive the port, and what it captures,
  /// too; it is a function that returns a coroutine's task and is no coroutine itself.
  void add(std::string path, Handler handler) {
    methods_.insert_or_assign(std::move(path), std::move(handler));
  }

  /// nullptr: there is none, and the peer is told UNIMPLEMENTED.
  const Handler* find(std::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Handler, std::less<>> methods_;
};

}  // namespace onceproxy::grpc
