// ServerStream: one call of a gRPC method as its handler sees it: messages in both directions, each
// whole, and one status at the end. Any of gRPC's four kinds of method is served through it; a
// unary method reads one message and writes one.
//
// It knows neither HTTP/2 nor protobuf. It is abstract so that handlers can be tested without a
// connection.
//
// Not thread-safe: one event loop. It lives as long as the handler's task, also where the peer is
// gone; everything can still be called then, and ends at once.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/grpc/status.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::tls {
struct Peer;
}

namespace onceproxy::grpc {

/// Why a call is over before its handler ended it.
enum class Gone {
  reset,       ///< the peer cancelled the call (RST_STREAM)
  connection,  ///< the connection ended, failed, or was closed here
  deadline,    ///< the time that the peer gave it is over; it was told DEADLINE_EXCEEDED
  protocol,  ///< the peer broke the protocol in this call (framing, compression, a message that is
             ///< too large); it was told
};

class ServerStream {
 public:
  using Clock = std::chrono::steady_clock;

  /// What a read gave.
  enum class Read {
    message,
    end,   ///< the peer has sent all it will send; it still reads
    gone,  ///< see gone()
  };

  virtual ~ServerStream() = default;
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  // What the peer asked for; the views stay valid as long as the stream.
  /// "/package.Service/Method".
  virtual std::string_view path() const = 0;
  /// The host that the peer named; empty: none.
  virtual std::string_view authority() const = 0;
  /// The first value of a metadata field, by its name in lower case. Values of fields that end in
  /// "-bin" are as they were sent, in base64. Of the fields that gRPC itself uses, only user-agent
  /// is there.
  virtual std::optional<std::string_view> metadata(std::string_view name) const = 0;
  /// The peer's address without its port; "unix" where it came through a unix socket.
  virtual std::string_view peer_address() const = 0;
  /// nullptr: the peer showed no certificate.
  virtual const tls::Peer* peer() const = 0;
  /// From grpc-timeout; nothing: the peer waits without end. When it passes, the peer is told, and
  /// gone() becomes `deadline`.
  virtual std::optional<Clock::time_point> deadline() const = 0;

  /// The next whole message into `message`, whose former content is dropped. Waits until there is
  /// one, or for the end. One read at a time; a write may be under way beside it. After `end`,
  /// every read gives `end` or `gone`.
  virtual io::Task<Read> read(std::string& message) = 0;

  /// Sends one message; `message` must stay until this ends. Waits until all of it is in frames for
  /// the socket, which is where the peer's flow control is felt. False: the peer is gone, or the
  /// call was finished, and what became of the message is unknown. One write at a time.
  virtual io::Task<bool> write(std::string_view message) = 0;

  /// The same, and the call is finished behind it with that status, in the same breath: the peer
  /// gets both at once.
  virtual io::Task<bool> write_last(std::string_view message, Status status) = 0;

  /// Ends the call: nothing can be written behind it, and what the peer still sends is dropped.
  /// Does not wait. No effect once the peer is gone or the call was finished. Not while a write is
  /// under way. A handler that returns without it has the call ended as `internal`, which is
  /// logged.
  virtual void finish(Status status) = 0;

  /// Nothing: the peer is there, as far as is known.
  virtual std::optional<Gone> gone() const = 0;
  /// Is called once, from the loop and outside any other call of this stream, when gone() gets a
  /// value; at the next round if it has one already. Not after finish(), and not after the handler
  /// has ended. For a handler that waits for something else than this stream. nullptr: no longer.
  virtual void on_gone(std::function<void(Gone)> told) = 0;

  /// The port is being drained: the handler should come to an end soon. Calls that are under way
  /// are not ended for it until the patience of the drain is over.
  virtual bool draining() const = 0;

 protected:
  ServerStream() = default;
};

}  // namespace onceproxy::grpc
