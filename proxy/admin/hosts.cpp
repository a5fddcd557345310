#include "proxy/admin/hosts.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "policies/request_view.hpp"

namespace onceproxy::admin {
namespace {

using policies::equals_ignoring_case;

/// Without port and brackets, and without the dot that ends an absolute name.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = std::min(host.find(']'), host.size());
    return host.substr(1, end - 1);
  }
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  constexpr std::string_view name = "localhost";
  constexpr std::string_view below = ".localhost";
  return equals_ignoring_case(host, name) ||
         (host.size() > below.size() &&
          equals_ignoring_case(host.substr(host.size() - below.size()), below));
}

}  // namespace

Hosts::Hosts(std::string bound, std::vector<std::string> listed) : names_(std::move(listed)) {
  names_.push_back(std::move(bound));
}

bool Hosts::admits(std::string_view host) const {
  if (host.empty()) return true;
  const std::string_view name = without_port(host);
  return is_loopback(name) || std::ranges::any_of(names_, [&](const std::string& known) {
           return equals_ignoring_case(known, name);
         });
}

}  // namespace onceproxy::admin
