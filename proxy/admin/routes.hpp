// Which function answers which method and path. Private to this folder; knows no sockets.
// Thread-safety: add() before answers are asked for.
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
  /// For 405: what Allow says.
  std::string allow = {};
  /// For 401: a token is asked for.
  bool challenge = false;
};

class Routes {
 public:
  void add(std::string method, std::string path, std::string help, Handler handler);
  void require(Bearer bearer) { bearer_.emplace(std::move(bearer)); }
  void require_to_read(Bearer bearer) { read_bearer_.emplace(std::move(bearer)); }
  /// What a request gets that brings no token, or not the one it takes. `authorization`: the
  /// field's value, or empty. `reads`: it asks for no change.
  std::optional<Routed> refuse(std::string_view authorization, bool reads) const;
  void answer_only_to(Hosts hosts) { hosts_.emplace(std::move(hosts)); }
  /// `host`: the field's value, or empty.
  bool answers_to(std::string_view host) const { return !hosts_ || hosts_->admits(host); }
  void take_bodies(std::size_t bytes_max) { body_bytes_max_ = bytes_max; }
  std::size_t body_bytes_max() const { return body_bytes_max_; }
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  /// 404 for an unknown path, 405 for a known one under another method, 500 when the handler
  /// throws (which is logged). Answers HEAD as GET, body included.
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
/// {"error":"…"}: why a request for JSON is not answered.
Response refusal(int status, std::string_view why);

}  // namespace onceproxy::admin
