// Hosts: the names under which a request may use the admin port if no token is required. A page
// whose name was made to resolve to this machine (DNS rebinding) can reach a port on the loopback
// address and read its answers. Its name is in Host, which a page cannot change. Immutable;
// thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::admin {

class Hosts {
 public:
  /// `bound`: the host to which the port is bound. `listed`: further names and addresses. Both
  /// without a port, and an IPv6 address without brackets.
  Hosts(std::string bound, std::vector<std::string> listed);

  /// `host`: the value of the field. Its port is ignored, because a tunnel may have another one. It
  /// is empty for an HTTP/1.0 request without the field, which browsers do not send. A loopback
  /// address, and localhost with the names below it (RFC 6761 6.3), are always accepted.
  bool admits(std::string_view host) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace onceproxy::admin
