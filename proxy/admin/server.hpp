// The admin and telemetry listeners: small HTTP/1.1 servers on their own thread, for operators and
// probes, never for traffic. Endpoints are registered as functions; this file knows nothing of
// what they show.
//
// Thread-safety: add() before start(); stop() from any thread. Handlers run on the server's
// thread, one at a time, and must be quick.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace onceproxy::admin {

struct Request {
  std::string method;
  /// Without the query.
  std::string path;
  std::multimap<std::string, std::string> query;
  std::string body;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

using Handler = std::function<Response(const Request&)>;

/// Where a server listens: host and port (0: any free one), or a unix socket's path.
struct Endpoint {
  std::string host;
  unsigned short port = 0;
  std::string unix_path;
};

class Server {
 public:
  /// Binds at once; throws std::system_error with a message that names the address.
  explicit Server(const Endpoint& endpoint);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// `method` GET also answers HEAD. A path known under another method is 405 with Allow.
  void add(std::string method, std::string path, std::string help, Handler handler);

  /// host:port with the port really bound, or unix:/path.
  std::string address() const;

  void start();
  /// Waits for the request under way. Idempotent.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::admin
