#include "proxy/admin/server.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "proxy/admin/connection.hpp"
#include "proxy/admin/listen.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr std::size_t connections_max = 64;
constexpr std::chrono::seconds stop_time{1};
constexpr std::chrono::milliseconds accept_pause{100};

using Connections = std::list<Connection>;

}  // namespace

struct Server::State {
  State(const Endpoint& endpoint, ServerTls server_tls)
      : listening(endpoint),
        tls(std::move(server_tls)),
        acceptor(context),
        accept_timer(context),
        stop_timer(context) {
    acceptor.assign(Protocol(listening.family(), 0), listening.release());
  }

  void run();
  void begin_to_stop();

  asio::awaitable<void> accept();
  void admit(Protocol::socket socket);
  asio::awaitable<void> serve(Connections::iterator connection);
  void end(Connections::iterator connection);

  asio::io_context context{1};
  ListeningSocket listening;
  const ServerTls tls;
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
  const auto connection =
      connections.emplace(connections.end(), std::move(socket),
                          tls.port ? tls.port->context() : nullptr, routes.body_bytes_max());
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
    bool more = co_await open(*connection, tls);
    while (more) {
      more = co_await exchange(*connection, routes, stopping);
      connection->busy = false;
      connections.splice(connections.end(), connections, connection);
      more = more && !stopping;
    }
  } catch (const std::exception& error) {
    telemetry::log(telemetry::LogLevel::error, "admin connection failed",
                   {{"error", std::string_view(error.what())}});
  }
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
      // Thrown inside an operation of Beast; its connection is closed, and the others continue.
      telemetry::log(telemetry::LogLevel::error, "admin server failed",
                     {{"error", std::string_view(error.what())}});
    }
  }
}

Server::Server(const Endpoint& endpoint, ServerTls tls)
    : state_(std::make_unique<State>(endpoint, std::move(tls))) {}

Server::~Server() {
  stop();
}

void Server::add(std::string method, std::string path, std::string help, Handler handler) {
  state_->routes.add(std::move(method), std::move(path), std::move(help), std::move(handler));
}

void Server::require(Bearer bearer) {
  state_->routes.require(std::move(bearer));
}

void Server::require_to_read(Bearer bearer) {
  state_->routes.require_to_read(std::move(bearer));
}

void Server::answer_only_to(Hosts hosts) {
  state_->routes.answer_only_to(std::move(hosts));
}

void Server::take_bodies(std::size_t bytes_max) {
  state_->routes.take_bodies(bytes_max);
}

void Server::watch(Watcher watcher) {
  state_->routes.watch(std::move(watcher));
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
