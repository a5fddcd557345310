// Session: TLS over one non-blocking socket. Every operation does what can be done now and says
// what it waits for; waiting, and the socket itself, are its owner's. No buffers beside OpenSSL's
// own, which an idle connection has given back.
//
// Thread-safety: one thread at a time. The context is shared with others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/tls/context.hpp"
#include "proxy/tls/failure.hpp"

namespace onceproxy::tls {

class Session {
 public:
  /// Over `socket`, which stays the caller's and must outlive the session's last operation. Throws
  /// std::bad_alloc.
  Session(std::shared_ptr<const ServerContext> context, int socket);
  Session(std::shared_ptr<const ClientContext> context, int socket);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  enum class Result {
    done,
    wants_read,   ///< call again when the socket is readable
    wants_write,  ///< call again when it is writable; a write with the same bytes
    end,          ///< the peer ended in order (close_notify; RFC 8446, section 6.1)
    failed,       ///< anything else, an end without close_notify included
  };

  Result handshake();
  /// Why the handshake failed.
  const Failure& failure() const { return failure_; }

  /// At least one byte if it is done; `got` says how many.
  Result read(char* to, std::size_t size, std::size_t& got);

  /// Writes from the front of `parts`, in full records if there is enough, and takes off what
  /// it wrote; `taken` grows by as much. Done: all of it.
  Result write(std::span<std::string_view> parts, std::size_t& taken);

  /// Nothing will be sent any more, not even close_notify.
  void give_up() { failed_ = true; }

  /// Sends close_notify; nothing may be written any more. Done also if nothing can be sent.
  Result finish();

  /// Nothing has come that is for the owner: neither bytes nor an end. Session tickets, which a
  /// server sends when it likes, are taken in here.
  bool quiet();

  /// What was read last was all that the socket had: reading again would only learn that.
  bool drained() const;

  /// Bytes that the kernel took so far. The same before and after a write that failed: nothing of
  /// it has left the process.
  std::uint64_t bytes_sent() const { return bytes_sent_; }

  /// What both sides agreed to speak (ALPN); empty: nothing was said. After the handshake.
  std::string_view protocol() const;
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  const SSL* native() const { return ssl_.get(); }

 private:
  struct Transport;
  void attach();
  Result result_of(int returned);

  const std::shared_ptr<const ServerContext> server_;
  const std::shared_ptr<const ClientContext> client_;
  const int socket_;
  Connection ssl_;
  Failure failure_;
  std::uint64_t bytes_sent_ = 0;
  /// The last read of the socket gave less than there was room for.
  bool socket_drained_ = false;
  bool socket_ended_ = false;
  /// Nothing may be said any more, not even close_notify.
  bool failed_ = false;
  bool finished_ = false;
};

}  // namespace onceproxy::tls
