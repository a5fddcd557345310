// ServerStream: one gRPC call, as its handler uses it: complete messages in both directions, and
// one status at the end. It supports all four kinds of gRPC methods; a unary method reads one
// message and writes one.
//
// It does not depend on HTTP/2 or protobuf. It is abstract so that handlers can be tested without a
// connection.
//
// Not thread-safe: used on one event loop. It exists as long as the handler's task, even if the
// client is gone; all functions can then still be called and return at once.
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

/// The reason why a call ended before its handler ended it.
enum class Gone {
  reset,       ///< the client cancelled the call (RST_STREAM)
  connection,  ///< the connection ended, failed, or was closed here
  deadline,    ///< the client's deadline has passed; it got DEADLINE_EXCEEDED
  protocol,  ///< the peer broke the protocol in this call (framing, compression, a message that is
             ///< too large); it was told
  refused,   ///< a message arrived too slowly, or there was no memory for it; the peer was told
};

class ServerStream {
 public:
  using Clock = std::chrono::steady_clock;

  /// The result of a read.
  enum class Read {
    message,
    end,   ///< the client sends no more messages; it still reads
    gone,  ///< see gone()
  };

  virtual ~ServerStream() = default;
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  // The client's request; the views are valid as long as the stream.
  /// "/package.Service/Method".
  virtual std::string_view path() const = 0;
  /// The host in the request; empty if there is none.
  virtual std::string_view authority() const = 0;
  /// The first value of a metadata field, by its name in lower case. Values of fields that end in
  /// "-bin" are not decoded from base64. Of the fields that gRPC itself uses, only user-agent is
  /// available.
  virtual std::optional<std::string_view> metadata(std::string_view name) const = 0;
  /// The client's address without the port; "unix" for a Unix socket.
  virtual std::string_view peer_address() const = 0;
  /// nullptr if the client presented no certificate.
  virtual const tls::Peer* peer() const = 0;
  /// The deadline from grpc-timeout; nothing if the client has none. When it passes, the client
  /// gets DEADLINE_EXCEEDED, and gone() becomes `deadline`.
  virtual std::optional<Clock::time_point> deadline() const = 0;

  /// Waits for the next complete message, or for the end, and stores the message in `message`,
  /// whose old content is replaced. Only one read at a time; a write may be under way at the same
  /// time. After `end`, every read returns `end` or `gone`.
  virtual io::Task<Read> read(std::string& message) = 0;
  /// From the next read on, no message is given up because it arrives slowly or because there is no
  /// memory for it, so gone() does not become `refused`. For messages that must not be lost.
  virtual void keep_messages() = 0;

  /// Sends one message; `message` must stay valid until the task has ended. It waits until the
  /// whole message is in frames, which depends on the client's flow control. Returns false if the
  /// client is gone or the call was finished; it is then unknown whether the message was sent. Only
  /// one write at a time.
  virtual io::Task<bool> write(std::string_view message) = 0;

  /// Like write(), and ends the call with `status` in the same write.
  virtual io::Task<bool> write_last(std::string_view message, Status status) = 0;

  /// Ends the call with a status: nothing can be written afterwards, and what the client still
  /// sends is discarded. It does not wait. It has no effect if the client is gone or the call was
  /// finished. It must not be called while a write is under way. If a handler returns without
  /// calling it, the call ends as `internal`, which is logged.
  virtual void finish(Status status) = 0;

  /// Nothing if the client is still connected, as far as is known.
  virtual std::optional<Gone> gone() const = 0;
  /// `told` is called once, by the loop and not during another call of this stream, when gone()
  /// gets a value, or in the next round if it already has one. It is not called after finish() or
  /// after the end of the handler. It is for handlers that wait for something other than this
  /// stream. nullptr cancels it.
  virtual void on_gone(std::function<void(Gone)> told) = 0;

  /// Whether the port is being drained, so that the handler should end soon. Calls under way are
  /// aborted only when the drain time is over.
  virtual bool draining() const = 0;

 protected:
  ServerStream() = default;
};

}  // namespace onceproxy::grpc
