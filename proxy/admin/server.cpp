#include "proxy/admin/server.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "proxy/admin/listen.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/admin/target.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t connections_max = 64;
constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr std::size_t body_bytes_max = 64 * 1024;
/// From the end of one answer to the end of the next head; above a usual scrape interval.
constexpr std::chrono::seconds idle_time{75};
constexpr std::chrono::seconds body_time{10};
constexpr std::chrono::seconds answer_time{10};
/// How long what a refused client still sends is read and thrown away, so that the answer reaches
/// it before a reset does.
constexpr std::chrono::seconds linger_time{1};
constexpr std::chrono::seconds stop_time{1};
constexpr std::chrono::milliseconds accept_pause{100};

struct Connection {
  explicit Connection(Protocol::socket socket) : stream(std::move(socket)) {}

  void close() {
    closed = true;
    stream.close();
  }

  Stream stream;
  beast::flat_buffer buffer{head_bytes_max + body_bytes_max};
  /// Between the end of a request and the end of its answer.
  bool busy = false;
  bool closed = false;
};
using Connections = std::list<Connection>;

/// How an answer is to be sent.
struct Manner {
  unsigned version = 11;
  bool keep_alive = false;
  bool head_only = false;
};

/// What a request that could not be read is answered; 0 where nobody waits for an answer.
int status_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

/// What is wrong with a head, before its body is read.
std::optional<Response> refuse(const Parser& parser) {
  const auto& head = parser.get();
  if (head.version() == 11 && head.count(http::field::host) != 1)
    return plain(400, "one Host is needed\n");
  // Beast 1.81 throws on large trailers and accepts any amount of chunk extensions.
  if (parser.chunked()) return plain(411, "a Content-Length is needed\n");
  const bool reads = head.method() == http::verb::get || head.method() == http::verb::head;
  if (!reads && head.count(http::field::origin) > 0)
    return plain(403, "web pages may not change anything here\n");
  return std::nullopt;
}

asio::awaitable<error_code> send(Connection& connection, Routed answer, Manner manner) {
  http::response<http::string_body> message;
  message.version(manner.version);
  message.result(static_cast<unsigned>(answer.response.status));
  message.set(http::field::content_type, answer.response.content_type);
  message.set(http::field::cache_control, "no-cache, max-age=0");
  message.set("X-Content-Type-Options", "nosniff");
  if (!answer.allow.empty()) message.set(http::field::allow, answer.allow);
  message.keep_alive(manner.keep_alive);
  message.content_length(answer.response.body.size());
  if (!manner.head_only) message.body() = std::move(answer.response.body);
  http::response_serializer<http::string_body> serializer(message);
  error_code error;
  connection.stream.expires_after(answer_time);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (manner.head_only) {
    co_await http::async_write_header(connection.stream, serializer, token);
  } else {
    co_await http::async_write(connection.stream, serializer, token);
  }
  co_return error;
}

/// Answers and hangs up, politely.
asio::awaitable<void> send_last(Connection& connection, Routed answer, Manner manner) {
  connection.busy = true;
  manner.keep_alive = false;
  error_code error = co_await send(connection, std::move(answer), manner);
  if (error) co_return;
  connection.stream.socket().shutdown(Protocol::socket::shutdown_send, error);
  connection.stream.expires_after(linger_time);
  std::array<char, 4096> rest;
  while (!error) {
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await connection.stream.async_read_some(asio::buffer(rest), token);
  }
}

/// Reads the body behind a head that was accepted.
asio::awaitable<error_code> read_body(Connection& connection, Parser& parser) {
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  connection.stream.expires_after(body_time);
  if (!parser.is_done() && beast::iequals(parser.get()[http::field::expect], "100-continue"))
    co_await asio::async_write(connection.stream, asio::buffer(go_on), token);
  if (!error && !parser.is_done())
    co_await http::async_read(connection.stream, connection.buffer, parser, token);
  co_return error;
}

}  // namespace

struct Server::State {
  explicit State(const Endpoint& endpoint)
      : listening(endpoint), acceptor(context), accept_timer(context), stop_timer(context) {
    acceptor.assign(Protocol(listening.family(), 0), listening.release());
  }

  void run();
  void begin_to_stop();

  asio::awaitable<void> accept();
  void admit(Protocol::socket socket);
  asio::awaitable<void> serve(Connections::iterator connection);
  /// One request and its answer; false where the connection ends.
  asio::awaitable<bool> exchange(Connection& connection);
  void end(Connections::iterator connection);

  asio::io_context context{1};
  ListeningSocket listening;
  asio::basic_socket_acceptor<Protocol> acceptor;
  asio::steady_timer accept_timer;
  asio::steady_timer stop_timer;
  Routes routes;

  // The server's thread alone.
  /// The one that has been silent for longest comes first.
  Connections connections;
  bool stopping = false;

  /// Guards start and stop against each other.
  std::mutex mutex;
  std::thread thread;
};

asio::awaitable<void> Server::State::accept() {
  while (!stopping) {
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    Protocol::socket socket = co_await acceptor.async_accept(token);
    if (!error) {
      admit(std::move(socket));
    } else if (!stopping) {
      // Out of descriptors, most likely: that lasts a while, and must not keep a core busy.
      accept_timer.expires_after(accept_pause);
      co_await accept_timer.async_wait(token);
    }
  }
}

void Server::State::admit(Protocol::socket socket) {
  if (connections.size() >= connections_max) {
    // Silent connections must not keep a probe out.
    const auto idle = std::find_if(connections.begin(), connections.end(),
                                   [](const Connection& c) { return !c.busy && !c.closed; });
    if (idle == connections.end()) return;
    idle->close();
  }
  const auto connection = connections.emplace(connections.end(), std::move(socket));
  asio::co_spawn(context, serve(connection), asio::detached);
}

asio::awaitable<void> Server::State::serve(Connections::iterator connection) {
  // In a guard, since a frame may also be destroyed where it waits.
  struct Guard {
    State& state;
    Connections::iterator connection;
    ~Guard() { state.end(connection); }
  } const guard{*this, connection};
  try {
    bool more = true;
    while (more) {
      more = co_await exchange(*connection);
      connection->busy = false;
      connections.splice(connections.end(), connections, connection);
      more = more && !stopping;
    }
  } catch (const std::exception& error) {
    telemetry::log(telemetry::LogLevel::error, "admin connection failed",
                   {{"error", std::string_view(error.what())}});
  }
}

asio::awaitable<bool> Server::State::exchange(Connection& connection) {
  Parser parser;
  parser.header_limit(head_bytes_max);
  parser.body_limit(body_bytes_max);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  connection.stream.expires_after(idle_time);
  co_await http::async_read_header(connection.stream, connection.buffer, parser, token);

  std::optional<Routed> refusal;
  if (!error) {
    if (std::optional<Response> response = refuse(parser)) refusal = Routed{*response, {}};
    if (!refusal) error = co_await read_body(connection, parser);
  }
  if (error) {
    const int status = status_of(error);
    if (status == 0) co_return false;
    refusal = Routed{plain(status, error.message() + "\n"), {}};
  }
  Manner manner;
  if (refusal) {
    co_await send_last(connection, std::move(*refusal), manner);
    co_return false;
  }

  connection.busy = true;
  const auto& message = parser.get();
  manner.version = message.version();
  manner.keep_alive = message.keep_alive() && !stopping;
  manner.head_only = message.method() == http::verb::head;
  std::optional<Target> target = parse_target(message.target());
  Routed answer{plain(400, "malformed request target\n"), {}};
  if (target)
    answer = routes.answer({std::string(message.method_string()), std::move(target->path),
                            std::move(target->query), message.body()});
  error = co_await send(connection, std::move(answer), manner);
  co_return !error && manner.keep_alive;
}

void Server::State::end(Connections::iterator connection) {
  connections.erase(connection);
  if (stopping && connections.empty()) stop_timer.cancel();
}

void Server::State::begin_to_stop() {
  if (stopping) return;
  stopping = true;
  error_code ignored;
  acceptor.close(ignored);
  accept_timer.cancel();
  listening.remove_file();
  for (Connection& connection : connections)
    if (!connection.busy) connection.close();
  if (connections.empty()) return;
  stop_timer.expires_after(stop_time);
  stop_timer.async_wait([this](const error_code&) {
    for (Connection& connection : connections) connection.close();
  });
}

void Server::State::run() {
  while (true) {
    try {
      context.run();
      return;
    } catch (const std::exception& error) {
      // Thrown inside an operation of Beast's; its connection is gone, the others go on.
      telemetry::log(telemetry::LogLevel::error, "admin server failed",
                     {{"error", std::string_view(error.what())}});
    }
  }
}

Server::Server(const Endpoint& endpoint) : state_(std::make_unique<State>(endpoint)) {}

Server::~Server() {
  stop();
}

void Server::add(std::string method, std::string path, std::string help, Handler handler) {
  state_->routes.add(std::move(method), std::move(path), std::move(help), std::move(handler));
}

std::string Server::help() const {
  return state_->routes.help();
}

std::string Server::address() const {
  return state_->listening.address();
}

void Server::start() {
  const std::lock_guard lock(state_->mutex);
  if (state_->thread.joinable() || state_->stopping) return;
  asio::co_spawn(state_->context, state_->accept(), asio::detached);
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([this] { state_->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(state_->thread.native_handle(), "admin");
}

void Server::stop() {
  if (state_->context.get_executor().running_in_this_thread()) {
    asio::post(state_->context, [this] { state_->begin_to_stop(); });
    return;
  }
  const std::lock_guard lock(state_->mutex);
  if (!state_->thread.joinable()) {
    state_->begin_to_stop();
    return;
  }
  asio::post(state_->context, [this] { state_->begin_to_stop(); });
  state_->thread.join();
}

}  // namespace onceproxy::admin
