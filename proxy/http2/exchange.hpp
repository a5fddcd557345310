// Exchange: one request and its answer on an HTTP/2 stream, as a handler sees them: the head, the
// body and the trailers of both, streamed. What a handler does not take is not acknowledged to the
// peer (flow control), and what the peer does not take keeps the handler waiting: neither side
// makes the other keep more than a window.
//
// It lives as long as its handler or its stream, whichever ends later. Where the stream ends first,
// everything can still be called, and ends at once.
//
// Not thread-safe: one event loop. Nothing here resumes a coroutine or calls back from within a
// call; that is left to the loop.
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

/// Who is at the other end of a connection; what its exchanges share, and keep when it is gone.
struct Origin {
  /// Without its port; "unix" where it came through a unix socket.
  std::string address;
  /// nullptr: it showed no certificate.
  std::unique_ptr<const tls::Peer> certificate;
  bool secure = false;
  /// The connection takes no further requests.
  bool draining = false;
  /// Handlers of its requests that run, or are about to.
  std::size_t handlers = 0;
  /// nullptr: the connection is gone.
  Session* session = nullptr;
};

/// Why an exchange is over before its handler ended it.
enum class Gone {
  reset,       ///< the peer reset the stream, broke its rules, or took nothing for too long
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
    bytes,  ///< there are some in body()
    end,    ///< all of it was taken; trailers() are there
    gone,   ///< see gone(); or the answer was ended here
  };
  /// co_await read(): until there are bytes that were not taken, or the end. One at a time.
  auto read() { return ReadAwaiter{*this}; }
  /// What came and was not taken. Valid until the next read or the handler's end.
  std::string_view body() const { return body_.view(); }
  /// Takes the first `bytes`; the peer may send as many more.
  void consume(std::size_t bytes);
  const Fields& trailers() const { return trailers_; }
  /// The peer has sent all of it, taken or not.
  bool request_ended() const { return request_ended_; }

  // The answer.
  /// Its head, once. `ends`: there is no body. `status`: 200 to 599; interim ones by interim().
  void respond(int status, const Fields& fields, bool ends = false);
  /// 100, 102 or 103, before respond().
  void interim(int status, const Fields& fields);
  static constexpr std::size_t parts_max = 2;
  using Parts = std::array<std::string_view, parts_max>;
  /// co_await write(parts): until all of it is in frames. The bytes must stay. After respond(), one
  /// at a time. False: the exchange is over, and how much was sent is unknown.
  auto write(const Parts& parts) { return WriteAwaiter(*this, parts); }
  auto write(std::string_view bytes) { return write(Parts{bytes}); }
  /// The same with at least one byte, and the answer ends behind it, as by end(): the last bytes
  /// and the trailers go out together.
  auto write_last(const Parts& parts, Fields trailers) {
    last_ = true;
    answer_trailers_ = std::move(trailers);
    return WriteAwaiter(*this, parts);
  }
  bool writing() const { return writer_ != nullptr; }
  /// Ends the answer, after respond() and while no write is under way. What the peer still sends of
  /// the request is dropped.
  void end(Fields trailers = {});
  /// Ends the stream as failed (RST_STREAM), whatever is under way.
  void reset(std::uint32_t error);

  /// Nothing: it goes on, or was ended here.
  std::optional<Gone> gone() const { return gone_; }
  /// The stream is there, and end() was not called.
  bool open() const { return session_ != nullptr && !ended_; }
  /// Called once by the loop when gone() gets a value; at the next round if it has one. Not after
  /// the handler's end. nullptr: no longer.
  void on_gone(std::function<void(Gone)> told);
  /// What is awaited ends as gone; for timers.
  void stop();

  /// The handler has returned: an answer that is not ended fails. The last call of its task.
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
  /// Copies what is to be written into `to`; how much that was.
  std::size_t give(std::uint8_t* to, std::size_t room);
  /// The stream is gone. `why`: unless it ended in order.
  void detach(std::optional<Gone> why);
  bool stalled(Clock::time_point before) const {
    return writer_ != nullptr && writer_->waiter_ && writer_->moved_ < before;
  }

  /// nullptr: the stream is gone.
  Session* session_;
  io::EventLoop& loop_;
  const std::shared_ptr<Origin> origin_;
  const std::int32_t id_;

  RequestHead request_;
  /// What the handler sees, and what has come since it looked: its view must not move.
  io::Buffer body_;
  io::Buffer arrived_;
  Fields trailers_;
  std::size_t field_bytes_ = 0;
  std::size_t field_count_ = 0;
  bool fields_too_large_ = false;
  bool request_ended_ = false;
  std::coroutine_handle<> reader_;

  bool responded_ = false;
  /// The answer was ended, or the stream reset, by us.
  bool ended_ = false;
  bool reset_ = false;
  /// The answer ends with what is written now.
  bool last_ = false;
  /// When the end of the answer was sent, while the request went on.
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
