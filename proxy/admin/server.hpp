// The admin and telemetry listeners: small HTTP/1.1 servers on their own thread, for operators and
// probes, never for traffic. Endpoints are registered as functions; this file knows nothing of
// what they show.
//
// What it does not take: chunked bodies (411), heads above 16 KiB, bodies above 64 KiB unless
// take_bodies() says otherwise, and changes
// asked for by a web page (a request with Origin that is not GET or HEAD is 403), since a browser
// on the operator's machine reaches a loopback port too; for the same reason answer_only_to()
// bounds the names that the port answers to. Authentication is required where require() says so,
// and by TLS where it asks for certificates.
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
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::admin {

struct Request {
  std::string method;
  /// Without the query, as it came (percent-encoding included).
  std::string path;
  /// Decoded.
  std::multimap<std::string, std::string> query;
  std::string body;
  /// The peer: an address, or "unix" where the socket is one.
  std::string peer = {};
  /// What the path's {names} stand for, decoded.
  std::map<std::string, std::string, std::less<>> captures = {};
};

/// What a request that may have changed something was about, for whoever writes that down.
struct Touched {
  std::string policy = {};
  std::string path = {};
  std::string entity_type = {};
  std::string entity_id = {};
  /// Instead of the request's body, where that is not to be seen.
  std::optional<std::string> detail = std::nullopt;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  Touched touched = {};
};

using Handler = std::function<Response(const Request&)>;

/// Hears of a request that may have changed something, and what it was answered.
using Watcher = std::function<void(const Request&, const Response&)>;

/// Where a server listens: host and port (0: any free one), or a unix socket's path. A host is an
/// address (IPv6 with or without brackets) or a name; it is never empty, so that "everywhere" has
/// to be said.
struct Endpoint {
  std::string host;
  unsigned short port = 0;
  std::string unix_path;
};

/// TLS on a server's port.
struct ServerTls {
  /// nullptr: plain HTTP.
  std::shared_ptr<const tls::ServerPort> port;
  /// Where handshakes are counted, and as whose; outlives the server.
  telemetry::TlsMetrics* metrics = nullptr;
  telemetry::TlsPort which{};
};

class Server {
 public:
  /// Binds at once; throws std::system_error with a message that names the address. A unix socket
  /// without a listener is replaced; any other file is left alone and is an error.
  explicit Server(const Endpoint& endpoint, ServerTls tls = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// `method` GET also answers HEAD. A path known under another method is 405 with Allow. In a path
  /// a segment {name} is any one that is not empty; a path that ends in "/*" covers everything
  /// below it. What is written out goes before what has names, and that before what ends in "/*".
  /// A handler that throws answers 500.
  void add(std::string method, std::string path, std::string help, Handler handler);

  /// Each request must bring this token; others are 401. Before start().
  void require(Bearer bearer);
  /// The same for a token that may only read: with it, other methods than GET and HEAD are 403.
  void require_to_read(Bearer bearer);

  /// Only requests whose Host these admit are answered; others are 421. Before start().
  void answer_only_to(Hosts hosts);

  /// Bodies of so many bytes instead of 64 KiB. Before start().
  void take_bodies(std::size_t bytes_max);

  /// `watcher` runs after each handler of another method than GET, on the server's thread. Before
  /// start().
  void watch(Watcher watcher);

  /// What was added, one line a path: "  POST /path: help", sorted by path.
  std::string help() const;

  /// host:port with the port really bound, or unix:/path.
  std::string address() const;

  void start();
  /// Waits for the request under way, and for its answer no longer than a second. Idempotent. From
  /// a handler it only begins to stop: the destructor waits.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::admin
