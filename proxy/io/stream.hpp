// Stream: a connected socket, TCP or unix, with its buffer, awaitable reads and writes, a deadline
// over what is read or connected, and a guard over writes that make no progress. A read is tried at
// once where something may be there, and otherwise when the kernel says so; a write with the others
// of the loop's round.
//
// A stream without a reader still reports events of its peer. In this way it is known that an idle
// upstream connection was closed, or has received unexpected bytes, before it is used again.
// Either there may be something to read, or a wait for that is under way.
//
// A peer that sends a message in pieces may hold the next one back until the one before is
// acknowledged (RFC 896, Nagle), and the kernel may put off the acknowledgement (RFC 1122 4.2.3.2):
// together they cost 40 ms. So a reader that waits for the rest of a message acknowledges at once,
// unless its peer is known not to do that.
//
// Between two plain streams, bytes can be moved by the kernel through a pipe (Piped) instead of the
// buffer. A read asks for that; it is made into the buffer where there is no pipe.
//
// Each of the three operations has at most one coroutine that awaits it. A second one is a defect
// of the program: it gets `broken` at once, the stream is closed, and the first one ends as broken,
// so that neither is lost together with what it owns.
//
// With speak_tls() all of it goes through TLS: what is read and written is the plain text, and an
// end is the peer's close_notify; one without it is `broken`.
//
// Not thread-safe: one event loop. Must not be destroyed while a coroutine awaits it.
#pragma once

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/io/buffer.hpp"
#include "proxy/io/connecting.hpp"
#include "proxy/io/deadline.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/pipes.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/io/watch.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::tls {
class Session;
}

namespace onceproxy::io {

enum class IoError {
  none,
  eof,         ///< the peer has ended in order
  broken,      ///< reset, refused, unreachable, cancelled
  timed_out,   ///< the deadline struck
  no_room,     ///< the buffer holds as much as it may
  peer_spoke,  ///< a write that listens: the peer sent or ended before it had taken all
};

struct IoResult {
  IoError error = IoError::none;
  /// Bytes moved, also where there is an error.
  std::size_t bytes = 0;
  /// Of more than these something may have left: through TLS, part of a record.
  bool some_left = false;

  /// Certainly not a byte has left the process.
  bool nothing_left() const { return bytes == 0 && !some_left; }
};

class Stream : public Deadline,
               private Watch::Owner,
               private Connecting::Owner,
               private EventLoop::Deferred,
               private EventLoop::Writing {
 public:
  /// Not connected. `stall`: how long a write may make no progress, and how long a read waits that
  /// was given no deadline; then they end as timed out.
  Stream(EventLoop& loop, std::chrono::milliseconds stall);
  /// Connected by `socket`, which is on the loop's context.
  Stream(EventLoop& loop, Socket socket, std::chrono::milliseconds stall);
  virtual ~Stream();

  /// Cuts short, as timed out, a read or a connect that is awaited `after` from now, whenever it
  /// began; a read that begins later, and for which nothing has come, ends at once. disarm() takes
  /// it back. A read without a deadline ends when nothing moved on the stream, either way, for the
  /// time of the stall. Writes have a guard of their own.
  void expire_after(std::chrono::milliseconds after) {
    read_guarded_ = false;
    overdue_ = false;
    arm(after);
  }
  void disarm() {
    overdue_ = false;
    Deadline::disarm();
  }

  /// What was read and not used yet.
  Buffer buffer;

  /// co_await fill(n): more bytes in `buffer`, which may hold n; gives an IoError.
  auto fill(std::size_t buffer_bytes_max) { return FillAwaiter{*this, buffer_bytes_max}; }
  /// The same, or else at most `piped_bytes_max` bytes in `piped`, which is empty, as `buffer` is.
  /// Only where splices() holds here and where they are written to.
  auto fill(std::size_t buffer_bytes_max, Piped& piped, std::uint64_t piped_bytes_max) {
    return FillAwaiter{*this, buffer_bytes_max, &piped, piped_bytes_max};
  }
  /// What is there already, into `piped`, as far as the loop knows. True: something was.
  bool take_piped(Piped& piped, std::uint64_t bytes_max);
  bool splices() const { return tls_ == nullptr; }

  static constexpr std::size_t parts_max = 4;
  using Parts = std::array<std::string_view, parts_max>;
  /// co_await write(parts): writes all of it; gives an IoResult. Once a write has timed out or was
  /// cancelled, all later ones end as `broken`.
  auto write(const Parts& parts) { return WriteAwaiter(*this, parts, false, false); }
  auto write(std::string_view bytes) { return write(Parts{bytes}); }
  /// The same, and then what is in the pipe.
  auto write(const Parts& parts, Piped& piped) {
    return WriteAwaiter(*this, parts, false, false, &piped);
  }
  /// The same, but where the peer speaks or ends while it has not taken all, this ends as
  /// peer_spoke, and the caller goes on with what is left. Costs nothing where the kernel takes all
  /// at once.
  auto write_listening(const Parts& parts) { return WriteAwaiter(*this, parts, true, false); }
  /// write_listening(), where the peer must not have closed or sent anything: as far as the loop
  /// knows when the write begins, just after it has looked at all sockets. Else not a byte is
  /// written, and the error is `broken`.
  auto write_if_quiet(const Parts& parts) { return WriteAwaiter(*this, parts, true, true); }

  /// co_await connect(addresses, within): to the first of them that answers, gives an IoError. The
  /// addresses must stay. `within`: how long the deadline, which is the caller's to set, leaves.
  auto connect(const std::vector<SocketAddress>& addresses, std::chrono::milliseconds within) {
    return ConnectAwaiter{*this, addresses, within};
  }
  /// The peer never delays a part of a message until the previous part is acknowledged.
  /// Acknowledgements then need not be sent at once, and are sent together with what is written.
  void acknowledge_with_answers() { hurries_ = false; }
  /// From now on TLS is spoken, once co_await handshake() has given IoError::none. On a connected
  /// stream, before anything is read or written.
  void speak_tls(std::shared_ptr<const tls::ServerContext> context);
  void speak_tls(std::shared_ptr<const tls::ClientContext> context);
  auto handshake() { return HandshakeAwaiter{*this}; }
  /// nullptr: plain.
  const tls::Session* tls() const { return tls_.get(); }

  /// Which of the addresses connect() came to.
  std::size_t connected_to() const { return connected_to_; }

  /// True when the peer has neither closed nor sent anything, as far as is known here; `look` asks
  /// the kernel once more.
  bool quiet(bool look);

  bool open() const { return watch_ != nullptr; }
  /// What is awaited ends as broken, a little later.
  void cancel() {
    interrupt_reading(IoError::broken);
    interrupt_writing(IoError::broken);
  }
  /// The same, and the socket is gone at once.
  void close();
  /// Closes so that the peer sees a failure (RST), not an end.
  void reset();
  /// Nothing more will be sent (FIN, and close_notify before it).
  void shutdown_send();

 protected:
  void expired() override {
    overdue_ = !read_guarded_ && !reader_.waits() && !connector_.waits();
    interrupt_reading(IoError::timed_out);
  }
  /// The peer sent or ended while no read was awaited. The stream may be destroyed in here.
  virtual void heard_unasked() {}
  /// A second coroutine awaited `operation` ("read", "write", "connect"); the stream is closed by
  /// now. For the log and the metrics; must not destroy the stream.
  virtual void awaited_twice(std::string_view operation);

 private:
  struct FillAwaiter {
    Stream& stream;
    std::size_t buffer_bytes_max;
    Piped* piped = nullptr;
    std::uint64_t piped_bytes_max = 0;
    bool refused = false;
    bool await_ready() {
      refused = stream.refuse_second(stream.reader_, "read");
      if (refused) return true;
      stream.piping_ = piped;
      stream.pipe_bytes_max_ = piped_bytes_max;
      return stream.begin_fill(buffer_bytes_max);
    }
    void await_suspend(std::coroutine_handle<> waiter) { stream.reader_.handle = waiter; }
    IoError await_resume() const { return refused ? IoError::broken : stream.read_error_; }
  };

  class WriteAwaiter {
   public:
    WriteAwaiter(Stream& stream, const Parts& parts, bool listens, bool if_quiet,
                 Piped* piped = nullptr)
        : stream_(stream), parts_(parts), piped_(piped), listens_(listens), if_quiet_(if_quiet) {}
    bool await_ready() {
      const bool refused =
          stream_.refuse_second(stream_.writer_, "write") || stream_.write_abandoned_;
      if (refused) result_.error = IoError::broken;
      return refused;
    }
    void await_suspend(std::coroutine_handle<> waiter) { stream_.begin_write(*this, waiter); }
    IoResult await_resume() const { return result_; }

   private:
    friend class Stream;
    /// Writes what the kernel takes. True: all is written, or there is an error.
    bool advance();

    Stream& stream_;
    Parts parts_;
    Piped* const piped_;
    const bool listens_;
    const bool if_quiet_;
    bool tried_ = false;
    IoResult result_;
  };

  struct ConnectAwaiter {
    Stream& stream;
    const std::vector<SocketAddress>& addresses;
    std::chrono::milliseconds within;
    bool refused = false;
    bool await_ready() {
      refused = stream.refuse_second(stream.connector_, "connect");
      return refused || stream.begin_connect(addresses, within);
    }
    void await_suspend(std::coroutine_handle<> waiter) { stream.connector_ = {waiter}; }
    IoError await_resume() const { return refused ? IoError::broken : stream.connect_error_; }
  };

  struct Waiter;
  bool refuse_second(const Waiter& waiter, std::string_view operation);
  struct HandshakeAwaiter {
    Stream& stream;
    bool refused = false;
    bool await_ready() {
      refused = stream.refuse_second(stream.connector_, "handshake");
      return refused || stream.begin_handshake();
    }
    void await_suspend(std::coroutine_handle<> waiter) { stream.connector_ = {waiter}; }
    IoError await_resume() const { return refused ? IoError::broken : stream.connect_error_; }
  };

  bool begin_fill(std::size_t buffer_bytes_max);
  bool read_some();
  std::optional<bool> splice_some();
  bool write_piped(WriteAwaiter& writing);
  void begin_write(WriteAwaiter& writing, std::coroutine_handle<> waiter);
  void guard_read();
  void guard_write();
  void heard();
  bool begin_connect(const std::vector<SocketAddress>& addresses, std::chrono::milliseconds within);
  void adopt(Socket socket);
  void expect_more(bool nothing_there = false);
  void note(const ErrorCode& error);
  void interrupt_reading(IoError error);
  void interrupt_writing(IoError error);
  bool begin_handshake();
  bool shake_on();
  void handshake_moved();
  bool read_through_tls();
  bool tls_is_quiet();
  bool write_through_tls(WriteAwaiter& writing);
  void wait_to_write();
  void finish_tls();
  bool moved_by_reading();
  bool moved_by_writing();
  void readable(ErrorCode error) override;
  void writable(ErrorCode error) override;
  void connected(Socket socket, std::size_t index) override;
  void not_connected() override;
  void run() override;
  bool write_now() override;
  void written() override;

  /// A coroutine that awaits one of the three operations.
  struct Waiter {
    std::coroutine_handle<> handle;
    /// It only has to be resumed.
    bool done = false;
    bool waits() const { return handle && !done; }
  };

  EventLoop& loop_;
  /// None: closed, or not connected yet.
  Watch::Pointer watch_;
  const std::chrono::milliseconds stall_;

  std::unique_ptr<tls::Session> tls_;
  bool shaking_ = false;
  /// close_notify waits for room, and FIN behind it.
  bool finishing_ = false;
  bool write_waits_to_read_ = false;

  Waiter reader_;
  std::size_t read_bytes_max_ = 0;
  /// Where the read goes if it can; nullptr: into the buffer.
  Piped* piping_ = nullptr;
  std::uint64_t pipe_bytes_max_ = 0;
  IoError read_error_ = IoError::none;
  /// The deadline is there only because the read was given none.
  bool read_guarded_ = false;
  /// The deadline struck while nothing was awaited: the next read that would have to wait ends.
  bool overdue_ = false;
  /// There may be something to read: bytes, an end, or an error.
  bool readable_ = true;
  /// Bytes came since the last write: of a message that may have more.
  bool begun_ = false;
  bool tcp_ = false;
  /// The kernel tells with each read whether that was all.
  bool tells_left_ = false;
  /// The kernel reported that nothing was left. It also does so if a reset arrived together with
  /// the bytes, and does not report the reset again.
  bool may_be_reset_ = false;
  /// A call other than a read got the error of a reset. The kernel reports this error once, so the
  /// next read would look like an orderly end.
  bool reset_by_peer_ = false;
  /// See acknowledge_with_answers().
  bool hurries_ = true;
  /// Reads in a row that did not have to wait.
  int reads_in_a_row_ = 0;
  /// The peer has ended.
  bool ended_ = false;

  Waiter writer_;
  WriteAwaiter* writing_ = nullptr;
  /// Ends a write that makes no progress. There is one only while a write has to wait.
  class WriteGuard final : public Deadline {
   public:
    explicit WriteGuard(Stream& stream) : Deadline(stream.loop_.deadlines()), stream_(stream) {}

   private:
    void expired() override { stream_.interrupt_writing(IoError::timed_out); }
    Stream& stream_;
  };
  std::optional<WriteGuard> guard_;
  /// A write was cut short, and part of it may have left. Bytes behind it would be taken for its
  /// rest, so all further writes are refused.
  bool write_abandoned_ = false;

  Waiter connector_;
  std::unique_ptr<Connecting> connecting_;
  std::size_t connected_to_ = 0;
  IoError connect_error_ = IoError::none;
};

}  // namespace onceproxy::io
