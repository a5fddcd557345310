// Session: the server side of one HTTP/2 connection (RFC 9113) without its socket. It consumes the
// bytes of the client, produces the bytes for the client, and begins exchanges. nghttp2 implements
// the protocol. Limits that nghttp2 does not have are enforced here.
//
// Not thread-safe: used on one event loop. No call here runs a handler. begun() returns exchanges,
// and the caller starts their handlers.
#pragma once

#include <nghttp2/nghttp2.h>

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http2/exchange.hpp"
#include "proxy/http2/flood_guard.hpp"
#include "proxy/http2/frame_heads.hpp"
#include "proxy/http2/limits.hpp"
#include "proxy/telemetry/http2_metrics.hpp"

namespace onceproxy::http2 {

class Session {
 public:
  using Clock = std::chrono::steady_clock;

  class Owner {
   public:
    /// There may be output. It may be called during any call.
    virtual void wants_to_write() = 0;

   protected:
    ~Owner() = default;
  };

  /// The arguments must outlive the session. Throws std::bad_alloc.
  Session(Owner& owner, io::EventLoop& loop, const Limits& limits, std::shared_ptr<Origin> origin,
          telemetry::Http2Counters& counters);
  /// Open exchanges become gone.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Consumes bytes from the client. Returns false if the session has failed so that not even an
  /// error can be sent; see failure().
  bool receive(std::string_view bytes, Clock::time_point now);
  /// The next exchange whose request has a complete head, oldest first; nullptr if there is none.
  /// The caller must start its handler, which must call handler_ended().
  Exchange::Pointer begun();

  /// Appends output to `out` until it has `bytes_max` or a little more. Returns false as receive()
  /// does.
  bool frames(std::string& out, std::size_t bytes_max, Clock::time_point now);
  /// Whether neither side will send anything more, so the connection can be closed.
  bool over() const;

  /// Tells the client that no more requests are accepted. Requests under way, and requests that
  /// were sent before the client learns this, are still served. A second call has no effect.
  void announce_end();
  /// The second step after announce_end(), when the client has probably read the first GOAWAY:
  /// later requests are ignored.
  void end_requests();
  /// Sends an error and ends all exchanges. over() becomes true when the error has been sent.
  void terminate(std::uint32_t error);
  void ping();
  /// The number of PING frames that the client has not answered.
  std::size_t pings_open() const { return pings_open_; }

  /// The number of bytes of bodies that have arrived and that the client may not send again yet,
  /// because no handler has taken them.
  std::size_t held_bytes() const { return held_bytes_; }

  /// The number of exchanges whose stream exists.
  std::size_t open_exchanges() const { return open_.size(); }
  /// Ends exchanges whose client does not read the output, and requests that continue although they
  /// were answered. Call it several times a second.
  void look(Clock::time_point now);

  /// Whether the client's first SETTINGS has arrived.
  bool greeted() const { return !heads_.before_first(); }
  /// How long the caller should not read from the client (Limits::pace_resets).
  std::chrono::milliseconds pause(Clock::time_point now) const { return guard_.pause(now); }
  bool in_header_block() const { return guard_.in_header_block(); }
  std::uint64_t header_blocks() const { return guard_.header_blocks(); }
  /// The kind of frame of which there were too many; the connection ends because of it.
  std::optional<Flood> flood() const { return flood_; }
  /// Whether the client violated the protocol, so that the connection ends.
  bool failed() const { return failed_; }
  /// nghttp2's description of the error; it may concern a stream that failed before.
  const std::string& failure() const { return failure_; }

 private:
  friend class Exchange;
  struct Callbacks;
  struct Free {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  // For exchanges.
  void consumed(std::int32_t stream, std::size_t bytes);
  void respond(Exchange& exchange, int status, const Fields& fields, bool ends);
  void interim(Exchange& exchange, int status, const Fields& fields);
  void resume(std::int32_t stream);
  void reset(std::int32_t stream, std::uint32_t error);

  const std::vector<nghttp2_nv>& pairs_of(std::string_view status, const Fields& fields);
  static ssize_t read_answer(nghttp2_session* native, std::int32_t stream, std::uint8_t* to,
                             std::size_t room, std::uint32_t* flags, nghttp2_data_source* source,
                             void* data);

  // What nghttp2 tells.
  static const nghttp2_session_callbacks* callbacks();
  int head_begins(const nghttp2_frame& frame);
  int field(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  void data(std::int32_t stream, std::string_view bytes);
  int frame_received(const nghttp2_frame& frame);
  void frame_sent(const nghttp2_frame& frame);
  void head_not_sent(std::int32_t stream);
  void stream_closed(std::int32_t stream, std::uint32_t error);
  void head_complete(Exchange& exchange, bool ends);
  void turn_away(Exchange& exchange, int status);
  Exchange* exchange_of(std::int32_t stream) const;

  void flooded(Flood flood);
  bool feed(std::string_view bytes);
  bool fail(int error);

  Owner& owner_;
  io::EventLoop& loop_;
  const Limits& limits_;
  const std::shared_ptr<Origin> origin_;
  telemetry::Http2Counters& counters_;
  FrameHeads heads_;
  FloodGuard guard_;
  std::unique_ptr<nghttp2_session, Free> native_;

  template <typename Tag>
  using List = boost::intrusive::list<Exchange, boost::intrusive::base_hook<ExchangeHook<Tag>>,
                                      boost::intrusive::constant_time_size<false>>;
  /// The list has one reference to each exchange.
  struct Open {
    List<OpenTag> list;
    std::size_t count = 0;
    std::size_t size() const { return count; }
  };
  Open open_;
  /// The exchanges whose handlers wait to be started.
  List<BegunTag> begun_;
  /// The fields that are being submitted. The vector is kept to reuse its memory.
  std::vector<nghttp2_nv> pairs_;

  Clock::time_point now_;
  std::optional<Flood> flood_;
  bool failed_ = false;
  std::string failure_;
  std::size_t pings_open_ = 0;
  std::size_t held_bytes_ = 0;
  bool announced_ = false;
  bool ended_requests_ = false;
};

}  // namespace onceproxy::http2
