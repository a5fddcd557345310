// The admin and telemetry listeners: small HTTP/1.1 servers on their own thread, for operators and
// probes and not for traffic. Endpoints are registered as functions; this file does not know them.
//
// Not supported are chunked bodies (411), heads above 16 KiB, and bodies above 64 KiB unless
// take_bodies() allows more. A request with Origin that is not GET or HEAD gets 403, because a web
// page in an operator's browser can reach a port on the loopback address. For the same reason
// answer_only_to() limits the accepted names. Authentication is required after require(), and by
// TLS if it requires certificates.
//
// Thread-safety: add() before start(); stop() from any thread. Handlers run on the server's
// thread, one at a time, and must be quick.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/bearer.hpp"
#include "proxy/admin/hosts.hpp"
#include "proxy/io/endpoint.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::admin {

using io::Endpoint;

struct Request {
  std::string method;
  /// The unchanged path without the query (including percent-encoding).
  std::string path;
  /// Decoded.
  std::multimap<std::string, std::string> query;
  std::string body;
  /// The client's address, or "unix" for a Unix socket.
  std::string peer = {};
  /// The decoded values of the path's {names}.
  std::map<std::string, std::string, std::less<>> captures = {};
};

/// The subject of a request that may have changed something, for the audit log.
struct Touched {
  std::string policy = {};
  std::string path = {};
  std::string entity_type = {};
  std::string entity_id = {};
  /// Replaces the request's body if the body must not be shown.
  std::optional<std::string> detail = std::nullopt;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  Touched touched = {};
};

using Handler = std::function<Response(const Request&)>;

/// Is notified about each request that may have changed something, and its answer.
using Watcher = std::function<void(const Request&, const Response&)>;

/// TLS on a server's port.
struct ServerTls {
  /// nullptr: plain HTTP.
  std::shared_ptr<const tls::ServerPort> port;
  /// The metrics for handshakes, and the name of the port there; must outlive the server.
  telemetry::TlsMetrics* metrics = nullptr;
  telemetry::TlsPort which{};
};

class Server {
 public:
  /// Binds at once. Port 0 is any free port. The host must not be empty, so that listening on all
  /// interfaces is explicit; an IPv6 address may have brackets. Throws std::system_error with a
  /// message that contains the address. A Unix socket without a listener is replaced; any other
  /// file is an error and is not changed.
  explicit Server(const Endpoint& endpoint, ServerTls tls = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// `method` GET also answers HEAD. A known path with another method gets 405 with Allow. A
  /// segment {name} in a path matches any segment that is not empty; a path that ends in "/*"
  /// matches everything below it. A literal path takes precedence over one with names, and that
  /// over one that ends in "/*". If a handler throws, the answer is 500.
  void add(std::string method, std::string path, std::string help, Handler handler);

  /// Requires this token in each request; others get 401. Called before start().
  void require(Bearer bearer);
  /// The same for a token that allows only reading: other methods than GET and HEAD with it get
  /// 403.
  void require_to_read(Bearer bearer);

  /// Only requests with an accepted Host are answered; others get 421. Called before start().
  void answer_only_to(Hosts hosts);

  /// Accepts bodies of this size instead of 64 KiB. Called before start().
  void take_bodies(std::size_t bytes_max);

  /// `watcher` is called after each handler of another method than GET, on the server's thread.
  /// Called before start().
  void watch(Watcher watcher);

  /// The endpoints, one line for each path: " POST /path: help", sorted by path.
  std::string help() const;

  /// host:port with the bound port, or unix:/path.
  std::string address() const;

  void start();
  /// Waits for the current request, and for its answer at most one second. Idempotent. If a handler
  /// calls it, it only begins to stop; the destructor waits.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::admin
