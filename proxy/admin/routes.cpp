#include "proxy/admin/routes.hpp"

#include <exception>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::admin {
namespace {

constexpr std::string_view below = "/*";

}  // namespace

Response plain(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

void Routes::add(std::string method, std::string path, std::string help, Handler handler) {
  paths_[std::move(path)][std::move(method)] = {std::move(help), std::move(handler)};
}

const Routes::Methods* Routes::find(std::string_view path) const {
  if (const auto exact = paths_.find(path); exact != paths_.end()) return &exact->second;
  // The longest prefix that covers the path.
  for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && path.size() > 1;
       slash = slash == 0 ? slash : path.rfind('/', slash - 1)) {
    const auto prefix = paths_.find(std::string(path.substr(0, slash)).append(below));
    if (prefix != paths_.end()) return &prefix->second;
    if (slash == 0) break;
  }
  return nullptr;
}

Routed Routes::answer(const Request& request) const {
  const Methods* methods = find(request.path);
  if (methods == nullptr) return {plain(404, "no such path; GET / lists what there is\n"), {}};
  const auto route = methods->find(request.method == "HEAD" ? "GET" : request.method);
  if (route == methods->end()) {
    std::string allow;
    for (const auto& [method, unused] : *methods)
      allow += (allow.empty() ? "" : ", ") + (method == "GET" ? "GET, HEAD" : method);
    return {plain(405, "this path takes " + allow + "\n"), allow};
  }
  try {
    return {route->second.handler(request), {}};
  } catch (const std::exception& error) {
    telemetry::log(
        telemetry::LogLevel::error, "admin request failed",
        {{"path", std::string_view(request.path)}, {"error", std::string_view(error.what())}});
    return {plain(500, "internal error; see the log\n"), {}};
  }
}

std::string Routes::help() const {
  std::string text;
  for (const auto& [path, methods] : paths_)
    for (const auto& [method, route] : methods)
      text.append("  ").append(method).append(" ").append(path).append(": ").append(route.help) +=
          '\n';
  return text;
}

}  // namespace onceproxy::admin
