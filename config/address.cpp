#include <arpa/inet.h>
#include <sys/un.h>

#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

constexpr std::string_view shape = "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path";

bool is_ipv4(const std::string& host) {
  in_addr parsed{};
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool is_ipv6(const std::string& host) {
  in6_addr parsed{};
  return inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

/// RFC 1123 2.1, with the underscore that many private zones use.
bool is_host_name(std::string_view host) {
  static constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (host.size() > 253) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  while (true) {
    const std::string_view label = host.substr(0, host.find('.'));
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        label.find_first_not_of(letters) != std::string_view::npos) {
      return false;
    }
    if (label.size() == host.size()) return true;
    host.remove_prefix(label.size() + 1);
  }
}

tl::expected<Endpoint, std::string> parse_unix(std::string_view path) {
  if (!path.starts_with('/') || path.ends_with('/')) {
    return tl::unexpected("a unix socket is written unix:/path, with an absolute path, found " +
                          quote(path));
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return tl::unexpected("the path of a unix socket has at most " +
                          std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes, found " +
                          std::to_string(path.size()));
  }
  Endpoint address;
  address.unix_path = path;
  return address;
}

std::string wrong_address(std::string_view text) {
  std::string message = "expected " + std::string(shape) + ", found " + quote(text);
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    return message + "; leave out the scheme: " +
           std::string(text.substr(scheme + 3, text.find('/', scheme + 3) - scheme - 3));
  }
  if (is_ipv6(std::string(text))) return message + "; brackets and a port are missing";
  if (text.starts_with(':') || text.starts_with("*:")) {
    return message + "; for every interface write 0.0.0.0" +
           std::string(text.substr(text.find(':')));
  }
  if (whole_number(text)) return message + "; the host is missing";
  if (text.find(':') == std::string_view::npos) return message + "; the port is missing";
  return message;
}

}  // namespace

tl::expected<Endpoint, std::string> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return tl::unexpected(wrong_address(text));
  std::string host(text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + 1);
  if (port_text.empty() || port_text.find_first_not_of("0123456789") != std::string_view::npos) {
    return tl::unexpected(wrong_address(text));
  }
  const auto port = whole_number(port_text);
  if (!port || *port > 65'535) {
    return tl::unexpected("a port is from 0 to 65535, found " + quote(port_text));
  }
  const bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) {
      return tl::unexpected(quote(host) + " is not an IPv6 address");
    }
  } else if (numeric ? !is_ipv4(host) : !is_host_name(host)) {
    return tl::unexpected(wrong_address(text));
  }
  Endpoint address;
  address.host = std::move(host);
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

Kind<Endpoint> address(PortZero port_zero) {
  Kind<Endpoint> kind;
  kind.read = [port_zero](const Node& node) -> std::optional<Endpoint> {
    if (!node.is_scalar() || node.is_broken()) {
      node.expected(shape);
      return std::nullopt;
    }
    const auto value = parse_address(node.text());
    if (!value) {
      node.problem(value.error());
    } else if (value->unix_path.find('\0') != std::string::npos) {
      node.problem("a path may not hold a NUL");
    } else if (port_zero == PortZero::refused && value->unix_path.empty() && value->port == 0) {
      node.problem("port 0 is for listeners alone: nothing can be reached there");
    } else {
      return *value;
    }
    return std::nullopt;
  };
  kind.schema = [] { return JsonObject({{"$ref", "#/$defs/address"}}); };
  return kind;
}

}  // namespace onceproxy::config
