// Port: the context that new connections of a listener, or to the upstream, are made with now.
// Another one takes its place when files have changed; connections that exist keep theirs.
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "proxy/tls/context.hpp"

namespace onceproxy::tls {

template <typename Of>
class Port {
 public:
  explicit Port(std::shared_ptr<const Of> context) : context_(std::move(context)) {}

  std::shared_ptr<const Of> context() const {
    const std::lock_guard lock(mutex_);
    return context_;
  }
  void put(std::shared_ptr<const Of> context) {
    const std::lock_guard lock(mutex_);
    context_.swap(context);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Of> context_;
};

using ServerPort = Port<ServerContext>;
using ClientPort = Port<ClientContext>;

}  // namespace onceproxy::tls
