#include "proxy/admin/routes.hpp"

#include <exception>
#include <optional>
#include <utility>

#include "policies/percent.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::admin {
namespace {

constexpr std::string_view below = "/*";

/// Takes the first segment and its slash off.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

/// Whether a path of {names} covers `path`; `captures` are what they stand for.
bool covers(std::string_view pattern, std::string_view path,
            std::map<std::string, std::string, std::less<>>& captures) {
  captures.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view found = take_segment(path);
    if (!wanted.starts_with('{')) {
      if (wanted != found) return false;
      continue;
    }
    std::optional<std::string> value = policies::decode_percent_strictly(found);
    if (!value || value->empty()) return false;
    captures.emplace(wanted.substr(1, wanted.size() - 2), *std::move(value));
  }
  return pattern.empty() && path.empty();
}

}  // namespace

Response plain(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response json(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

Response json(int status, const telemetry::Json& value) {
  return json(status, telemetry::json_text(value) + "\n");
}

Response refusal(int status, std::string_view why) {
  return json(status, telemetry::JsonObject({{"error", why}}));
}

void Routes::add(std::string method, std::string path, std::string help, Handler handler) {
  paths_[std::move(path)][std::move(method)] = {std::move(help), std::move(handler)};
}

std::optional<Routed> Routes::refuse(std::string_view authorization, bool reads) const {
  if (!bearer_ && !read_bearer_) return std::nullopt;
  if (bearer_ && bearer_->admits(authorization)) return std::nullopt;
  if (!read_bearer_ || !read_bearer_->admits(authorization)) {
    return Routed{plain(401, "a bearer token is required\n"), {}, true};
  }
  if (reads) return std::nullopt;
  return Routed{plain(403, "this token may only read\n")};
}

const Routes::Methods* Routes::find(std::string_view path, Captures& captures) const {
  if (const auto exact = paths_.find(path); exact != paths_.end()) return &exact->second;
  for (const auto& [pattern, methods] : paths_) {
    const bool has_names = pattern.find('{') != std::string::npos;
    if (has_names && covers(pattern, path, captures)) return &methods;
  }
  captures.clear();
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
  Captures captures;
  const Methods* methods = find(request.path, captures);
  if (methods == nullptr) return {plain(404, "no such path; GET / lists the paths\n"), {}};
  const auto route = methods->find(request.method == "HEAD" ? "GET" : request.method);
  if (route == methods->end()) {
    std::string allow;
    for (const auto& [method, unused] : *methods)
      allow += (allow.empty() ? "" : ", ") + (method == "GET" ? "GET, HEAD" : method);
    return {plain(405, "this path takes " + allow + "\n"), allow};
  }
  Request with_captures = request;
  with_captures.captures = std::move(captures);
  const Response response = handled(route->second.handler, with_captures);
  if (watcher_ && route->first != "GET") watcher_(request, response);
  return {response, {}};
}

Response Routes::handled(const Handler& handler, const Request& request) const {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    telemetry::log(
        telemetry::LogLevel::error, "admin request failed",
        {{"path", std::string_view(request.path)}, {"error", std::string_view(error.what())}});
    return plain(500, "internal error; see the log\n");
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
