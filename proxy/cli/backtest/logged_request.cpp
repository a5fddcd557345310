#include "proxy/cli/backtest/logged_request.hpp"

namespace onceproxy::backtest {

std::string target_of(std::string_view url) {
  url = url.substr(0, url.find('#'));
  if (url == "*" || (!url.empty() && url.front() == '/')) return std::string(url);
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  const std::size_t path = url.find_first_of("/?", scheme + 3);
  if (path == std::string_view::npos) return "/";
  // An empty path before a query is the root (RFC 9110, section 4.2.3).
  return (url[path] == '?' ? "/" : "") + std::string(url.substr(path));
}

}  // namespace onceproxy::backtest
