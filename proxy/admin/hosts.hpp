// Hosts: which names a request may call the admin port by, where no token is asked for. A page
// whose name was made to resolve to this machine (DNS rebinding) reaches a loopback port and may
// read what it answers; its name stands in Host, where the page cannot change it. Immutable;
// thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::admin {

class Hosts {
 public:
  /// `bound`: the host that the port is bound to; `listed`: further names and addresses. Both
  /// without a port, an IPv6 address without brackets.
  Hosts(std::string bound, std::vector<std::string> listed);

  /// `host`: the field's value, of which the port does not matter (a tunnel may have another);
  /// empty where an HTTP/1.0 request has none, which no browser sends. A loopback address, and
  /// localhost with the names below it (RFC 6761 6.3), are always good.
  bool admits(std::string_view host) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace onceproxy::admin
