// Stream: a connected socket, TCP or unix, with its buffer, awaitable reads and writes, and one
// deadline over whatever is under way. Writes are tried at once and wait only when the kernel's
// buffer is full.
//
// A read may be left pending without an awaiter: that is how an idle upstream connection learns that
// its peer closed it, or sent what nobody asked for, before it is used again.
//
// Not thread-safe: one event loop. Must not be destroyed while a write is pending, nor while a read
// is pending and the loop will run again.
#pragma once

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <coroutine>
#include <span>

#include "proxy/http/buffer.hpp"
#include "proxy/http/deadline.hpp"

namespace onceproxy::http {

namespace asio = boost::asio;
using Error = boost::system::error_code;
/// The concrete executor: a type-erased one costs on every operation.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

struct IoResult {
  /// asio::error::timed_out when the deadline cut the operation short.
  Error error;
  /// Bytes moved, also where there is an error.
  std::size_t bytes = 0;
};

class Stream : public Deadline {
 public:
  /// `stall`: how long a write may make no progress where no other deadline is armed.
  Stream(Deadlines& deadlines, Socket socket, std::chrono::milliseconds stall)
      : Deadline(deadlines), socket_(std::move(socket)), stall_(stall) {}
  virtual ~Stream() = default;

  Socket& socket() { return socket_; }
  bool reading() const { return reading_; }

  /// Cuts short, as timed out, whatever is pending `after` from now; disarm() takes it back.
  void expire_after(std::chrono::milliseconds after) {
    timed_out_ = false;
    arm(after);
  }

  /// What was read and not used yet.
  Buffer buffer;

  /// Leaves a read pending that nobody awaits.
  void watch(std::size_t buffer_bytes_max);
  /// co_await fill(n): more bytes in `buffer`, which may hold n. Gives no error,
  /// asio::error::eof where the peer has ended, asio::error::timed_out where the deadline struck,
  /// asio::error::no_buffer_space where the buffer holds n bytes already.
  auto fill(std::size_t buffer_bytes_max) { return FillAwaiter{*this, begin_fill(buffer_bytes_max)}; }

  static constexpr std::size_t parts_max = 4;
  using Parts = std::array<asio::const_buffer, parts_max>;
  /// Writes all of it; an error tells how many bytes the kernel took before.
  auto write(const Parts& parts) { return WriteAwaiter{*this, parts}; }
  auto write(std::string_view bytes) {
    return WriteAwaiter{*this, Parts{asio::const_buffer(bytes.data(), bytes.size())}};
  }

  /// timed_out where the deadline is why something was aborted; else `error`.
  Error cause(Error error) const;
  /// What is pending ends with operation_aborted.
  void cancel() noexcept;
  void close() noexcept;
  /// Nothing more will be sent (FIN).
  void shutdown_send() noexcept;

 protected:
  void expired() override;
  /// A read ended that nobody awaited. The stream may be destroyed in here.
  virtual void idle_read_ended() {}

 private:
  struct FillAwaiter {
    Stream& stream;
    /// False: there is no room in the buffer.
    bool possible;
    bool await_ready() const noexcept { return !possible || !stream.reading_; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { stream.reader_ = waiter; }
    Error await_resume() const noexcept {
      return possible ? stream.end_fill() : Error(asio::error::no_buffer_space);
    }
  };

  class WriteAwaiter {
   public:
    WriteAwaiter(Stream& stream, const Parts& parts) : stream_(stream), parts_(parts) {}
    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiter);
    IoResult await_resume() const noexcept { return result_; }

   private:
    void write_more();
    /// True when everything was written.
    bool advance(std::size_t bytes);

    Stream& stream_;
    Parts parts_;
    IoResult result_;
    std::coroutine_handle<> waiter_;
    bool guarded_ = false;
  };

  bool begin_fill(std::size_t buffer_bytes_max);
  Error end_fill() noexcept;
  void read_ended(Error error, std::size_t bytes);

  Socket socket_;
  const std::chrono::milliseconds stall_;
  std::coroutine_handle<> reader_;
  Error read_error_;
  bool reading_ = false;
  /// A read ended and its error was not fetched yet.
  bool read_done_ = false;
  bool timed_out_ = false;
};

/// Makes a fresh socket ready for use: non-blocking, and no Nagle delay where it is TCP.
void prepare_socket(Socket& socket);

}  // namespace onceproxy::http
