// Addresses of a configuration as the kernel takes them. Not thread-safe if names are looked up
// by a C library that is not.
#pragma once

#include <sys/socket.h>

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "config/settings.hpp"

namespace onceproxy::doctor {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// All that the name leads to. `to_listen`: as a listener has it, not a client. The error says why
/// there is none.
tl::expected<std::vector<SocketAddress>, std::string> resolve(const io::Endpoint& address,
                                                              bool to_listen);

}  // namespace onceproxy::doctor
