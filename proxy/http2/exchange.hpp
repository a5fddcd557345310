// Exchange: one request and its answer on an HTTP/2 stream, as a handler uses them: the head, the
// body and the trailers of both, as streams. Flow control acknowledges only data that the handler
// has taken, and a handler that writes waits for the client to read. Therefore neither side can
// make the other keep more data than a window.
//
// It exists as long as its handler or its stream, whichever ends later. If the stream ends first,
// all functions can still be called and return at once.
//
// Not thread-safe: used on one event loop. No function here resumes a coroutine or calls back
// during the call; the event loop does this later.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http2/fields.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/task.hpp"
#include "proxy/tls/peer.hpp"

namespace onceproxy::http2 {

class Session;

/// The client of a connection. The exchanges of a connection share it, and keep it after the
/// connection has ended.
struct Origin {
  /// The address without the port; "unix" for a Unix socket.
  std::string address;
  /// nullptr if the client presented no certificate.
  std::unique_ptr<const tls::Peer> certificate;
  bool secure = false;
  /// Whether the connection accepts no more requests.
  bool draining = false;
  /// The number of its requests' handlers that run or are about to run.
  std::size_t handlers = 0;
  /// nullptr if the connection has ended.
  Session* session = nullptr;
};

/// The reason why an exchange ended before its handler ended it.
enum class Gone {
  reset,       ///< the client reset it, violated the protocol, or read nothing for too long
  connection,  ///< the connection ended, failed, or was closed here
  stopped,     ///< stop() was called
};

// RFC 9113, section 7.
inline constexpr std::uint32_t no_error = 0x0;
inline constexpr std::uint32_t internal_error = 0x2;
inline constexpr std::uint32_t cancel_error = 0x8;

struct OpenTag;
struct BegunTag;
template <typename Tag>
using ExchangeHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class Exchange final : public boost::intrusive_ref_counter<Exchange, boost::thread_unsafe_counter>,
                       public ExchangeHook<OpenTag>,
                       public ExchangeHook<BegunTag>,
                       private io::EventLoop::Deferred {
 public:
  using Pointer = boost::intrusive_ptr<Exchange>;
  using Clock = std::chrono::steady_clock;

  Exchange(Session& session, io::EventLoop& loop, std::shared_ptr<Origin> origin, std::int32_t id);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const RequestHead& request() const { return request_; }
  const Origin& origin() const { return *origin_; }
  io::EventLoop& loop() { return loop_; }

  // The request's body.
  enum class Read {
    bytes,  ///< there is data in body()
    end,    ///< all data was taken; trailers() is valid
    gone,   ///< see gone(); or the handler ended the answer
  };
  /// co_await read(): waits until there is data that was not taken, or the end of the body. Only
  /// one read at a time.
  auto read() { return ReadAwaiter{*this}; }
  /// The received data that was not taken. Valid until the next read or the end of the handler.
  std::string_view body() const { return body_.view(); }
  /// Takes the first `bytes` of body(); the client may then send as many more.
  void consume(std::size_t bytes);
  const Fields& trailers() const { return trailers_; }
  /// Whether the client has sent the whole body, taken or not.
  bool request_ended() const { return request_ended_; }

  // The answer.
  /// Sends the head of the answer; called once. `ends`: there is no body. `status`: 200 to 599; see
  /// interim() for 1xx.
  void respond(int status, const Fields& fields, bool ends = false);
  /// Sends 100, 102 or 103; only before respond().
  void interim(int status, const Fields& fields);
  static constexpr std::size_t parts_max = 2;
  using Parts = std::array<std::string_view, parts_max>;
  /// co_await write(parts): waits until all bytes are in frames. The bytes must stay valid. Only
  /// after respond(), and only one write at a time. Returns false if the exchange is over; it is
  /// then unknown how much was sent.
  auto write(const Parts& parts) { return WriteAwaiter(*this, parts); }
  auto write(std::string_view bytes) { return write(Parts{bytes}); }
  /// Like write() with at least one byte, followed by end(): the last bytes and the trailers are
  /// written together.
  auto write_last(const Parts& parts, Fields trailers) {
    last_ = true;
    answer_trailers_ = std::move(trailers);
    return WriteAwaiter(*this, parts);
  }
  bool writing() const { return writer_ != nullptr; }
  /// Ends the answer, after respond() and while no write is under way. The rest of the request is
  /// discarded.
  void end(Fields trailers = {});
  /// Ends the stream with an error (RST_STREAM), regardless of what is under way.
  void reset(std::uint32_t error);

  /// Nothing if the exchange continues, or was ended by the handler.
  std::optional<Gone> gone() const { return gone_; }
  /// Whether the stream exists and end() was not called.
  bool open() const { return session_ != nullptr && !ended_; }
  /// `told` is called once by the loop when gone() gets a value, or in the next round if it already
  /// has one. It is not called after the end of the handler. nullptr cancels this.
  void on_gone(std::function<void(Gone)> told);
  /// A pending read or write ends as gone; for timers.
  void stop();

  /// The handler has returned. An answer that is not ended fails. The last call of the handler's
  /// task.
  void handler_ended();

 private:
  friend class Session;

  class ReadAwaiter {
   public:
    explicit ReadAwaiter(Exchange& exchange) : exchange_(exchange) {}
    bool await_ready() const {
      if (exchange_.read_result() == Read::gone) exchange_.drop_body();
      return exchange_.readable();
    }
    void await_suspend(std::coroutine_handle<> waiter) { exchange_.reader_ = waiter; }
    Read await_resume() const { return exchange_.read_result(); }

   private:
    Exchange& exchange_;
  };

  class WriteAwaiter {
   public:
    WriteAwaiter(Exchange& exchange, const Parts& parts) : exchange_(exchange), parts_(parts) {}
    bool await_ready() const noexcept { return !exchange_.open() || left() == 0; }
    void await_suspend(std::coroutine_handle<> waiter);
    bool await_resume() const { return left() == 0 && !exchange_.gone(); }

   private:
    friend class Exchange;
    std::size_t left() const { return parts_[0].size() + parts_[1].size(); }

    Exchange& exchange_;
    Parts parts_;
    std::coroutine_handle<> waiter_;
    Clock::time_point moved_;
  };

  Read read_result();
  bool readable();
  void drop_body();
  void run() override;
  void wake() { loop_.defer_soon(*this); }

  // For the session.
  void took(std::string_view bytes);
  void request_complete();
  /// Copies output into `to`, and returns the number of bytes.
  std::size_t give(std::uint8_t* to, std::size_t room);
  /// The stream has ended. `why`: set unless it ended regularly.
  void detach(std::optional<Gone> why);
  bool stalled(Clock::time_point before) const {
    return writer_ != nullptr && writer_->waiter_ && writer_->moved_ < before;
  }

  /// nullptr if the stream has ended.
  Session* session_;
  io::EventLoop& loop_;
  const std::shared_ptr<Origin> origin_;
  const std::int32_t id_;

  RequestHead request_;
  /// The data that the handler sees, and the data that arrived since then. The first must not move.
  io::Buffer body_;
  io::Buffer arrived_;
  Fields trailers_;
  std::size_t field_bytes_ = 0;
  std::size_t field_count_ = 0;
  bool fields_too_large_ = false;
  bool request_ended_ = false;
  std::coroutine_handle<> reader_;

  bool responded_ = false;
  /// Whether the server has ended the answer or reset the stream.
  bool ended_ = false;
  /// Whether the handler or the session has reset it, and not because of invalid frames.
  bool reset_ = false;
  /// Whether the answer ends with the write under way.
  bool last_ = false;
  /// When the end of the answer was sent, while the request continued.
  std::optional<Clock::time_point> answered_;
  std::size_t unwanted_bytes_ = 0;
  Fields answer_trailers_;
  WriteAwaiter* writer_ = nullptr;
  bool writer_done_ = false;

  std::optional<Gone> gone_;
  std::function<void(Gone)> on_gone_;
  bool handled_ = false;
};

}  // namespace onceproxy::http2
