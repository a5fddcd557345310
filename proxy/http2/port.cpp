#include "proxy/http2/port.hpp"

#include <exception>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http2 {

using telemetry::Http2End;
using telemetry::LogLevel;

Port::Port(io::EventLoop& loop, Handler& handler, io::Slots& slots,
           telemetry::Http2Metrics& metrics, telemetry::TlsMetrics& tls_metrics, Options options)
    : loop_(loop),
      slots_(slots),
      options_(std::move(options)),
      parts_{loop,        options_.limits,   handler, options_.name, metrics.add(options_.name),
             tls_metrics, options_.tls_port, 0} {}

Port::~Port() = default;

void Port::listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls) {
  io::Listener::Owner& owner = *this;
  listeners_.push_back(
      std::make_unique<io::Listener>(owner, loop_, std::move(acceptor), std::move(tls)));
}

void Port::start() {
  for (const auto& listener : listeners_) listener->start();
}

void Port::drain() {
  if (std::exchange(draining_, true)) return;
  for (const auto& listener : listeners_) listener->stop();
  for (const auto& connection : connections_) connection->drain();
}

void Port::close() {
  for (const auto& connection : connections_) connection->close();
}

void Port::accepted(io::Socket socket, std::string client, std::uint16_t,
                    const tls::ServerPort* tls) {
  if (!slots_.try_take()) {
    // The connection is closed without an answer: the client then tries another instance, or later.
    io::ErrorCode ignored;
    socket.close(ignored);
    parts_.counters.connection_began();
    parts_.counters.connection_ended(Http2End::crowded);
    make_room();
    return;
  }
  auto connection = std::make_unique<Connection>(parts_, std::move(socket), std::move(client),
                                                 io::Slots::Taken(&slots_),
                                                 tls != nullptr ? tls->context() : nullptr);
  Connection& started = *connection;
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  io::start(serve(started));
}

/// Ends the connection that has been unused the longest. Otherwise clients that only connect could
/// take all slots. Only connections of this loop are looked at; the kernel spreads them evenly.
void Port::make_room() {
  Connection* longest = nullptr;
  auto since = loop_.now() - options_.limits.give_way_after;
  for (const auto& connection : connections_) {
    const auto unused = connection->unused_since();
    if (!unused || *unused > since) continue;
    longest = connection.get();
    since = *unused;
  }
  if (longest != nullptr) longest->give_way();
}

void Port::not_accepted(const io::ErrorCode& error) {
  parts_.counters.not_accepted();
  telemetry::log(LogLevel::error, "cannot accept connections",
                 {{"listener", options_.name}, {"error", error.message()}});
}

/// The top-level task of a connection. An unexpected exception ends only this connection.
io::Task<void> Port::serve(Connection& connection) {
  try {
    co_await connection.serve();
  } catch (const std::exception& error) {
    parts_.counters.handler_failed();
    telemetry::log(LogLevel::error, "connection failed",
                   {{"listener", options_.name}, {"error", error.what()}});
  }
  forget(connection);
}

void Port::forget(Connection& connection) {
  // Its last operation may still be on the stack, so it is deleted in the next round of the loop.
  loop_.post([this, &connection] {
    const std::size_t index = connection.index;
    connections_[index].swap(connections_.back());
    connections_[index]->index = index;
    connections_.pop_back();
  });
}

}  // namespace onceproxy::http2
