// The functions for each method and path. Private to this folder; it does not know sockets.
// Thread-safety: add() must not be called after the first request.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/admin/server.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {

struct Routed {
  Response response;
  /// For 405: the value of Allow.
  std::string allow = {};
  /// For 401: whether a token is required.
  bool challenge = false;
};

class Routes {
 public:
  void add(std::string method, std::string path, std::string help, Handler handler);
  void require(Bearer bearer) { bearer_.emplace(std::move(bearer)); }
  void require_to_read(Bearer bearer) { read_bearer_.emplace(std::move(bearer)); }
  /// The answer to a request without a valid token. `authorization`: the value of the field, or
  /// empty. `reads`: whether the request changes nothing.
  std::optional<Routed> refuse(std::string_view authorization, bool reads) const;
  void answer_only_to(Hosts hosts) { hosts_.emplace(std::move(hosts)); }
  /// `host`: the value of the field, or empty.
  bool answers_to(std::string_view host) const { return !hosts_ || hosts_->admits(host); }
  void take_bodies(std::size_t bytes_max) { body_bytes_max_ = bytes_max; }
  std::size_t body_bytes_max() const { return body_bytes_max_; }
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  /// 404 for an unknown path, 405 for a known path with another method, 500 if the handler throws
  /// (which is logged). HEAD is answered like GET, including the body.
  Routed answer(const Request& request) const;

  std::string help() const;

 private:
  struct Route {
    std::string help;
    Handler handler;
  };
  using Methods = std::map<std::string, Route, std::less<>>;
  using Captures = std::map<std::string, std::string, std::less<>>;

  Response handled(const Handler& handler, const Request& request) const;
  const Methods* find(std::string_view path, Captures& captures) const;

  std::map<std::string, Methods, std::less<>> paths_;
  Watcher watcher_;
  std::size_t body_bytes_max_ = std::size_t{64} << 10;
  std::optional<Bearer> bearer_;
  std::optional<Bearer> read_bearer_;
  std::optional<Hosts> hosts_;
};

/// A plain text answer.
Response plain(int status, std::string body);
/// An answer whose body is JSON.
Response json(int status, std::string body);
Response json(int status, const telemetry::Json& value);
/// {"error":"…"}: the reason why a request for JSON is refused.
Response refusal(int status, std::string_view why);

}  // namespace onceproxy::admin
