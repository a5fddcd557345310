// Session: the server's side of one HTTP/2 connection (RFC 9113) without its socket: bytes go in,
// bytes come out, and exchanges begin. nghttp2 does the protocol; what it does not bound is bounded
// here.
//
// Not thread-safe: one event loop. Handlers are never run from within a call, except that begun()
// hands out exchanges whose handlers the caller starts.
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
    /// There may be something to be written. May be called from within any call.
    virtual void wants_to_write() = 0;

   protected:
    ~Owner() = default;
  };

  /// Owner, loop, limits and counters must outlive it. Throws std::bad_alloc.
  Session(Owner& owner, io::EventLoop& loop, const Limits& limits, std::shared_ptr<Origin> origin,
          telemetry::Http2Counters& counters);
  /// Exchanges that are open become gone.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// What the peer sent. False: nothing more can be said, not even why; failure() tells.
  bool receive(std::string_view bytes, Clock::time_point now);
  /// The next exchange whose request's head has come, oldest first; nullptr: none. Its handler is
  /// to be started, and must call handler_ended().
  Exchange::Pointer begun();

  /// Appends what is to be sent, until `out` has `bytes_max` or a little more. False as receive().
  bool frames(std::string& out, std::size_t bytes_max, Clock::time_point now);
  /// Neither side has anything to say any more: the connection is to be closed.
  bool over() const;

  /// The peer is told that no further requests are taken; those under way, and those on their way,
  /// are. Twice is once.
  void announce_end();
  /// The second step of that, once the peer must have read the first: what comes now is ignored.
  void end_requests();
  /// Tells an error and ends all exchanges: over(), once that has been sent.
  void terminate(std::uint32_t error);
  void ping();
  /// PINGs of ours that were not answered.
  std::size_t pings_open() const { return pings_open_; }

  /// Exchanges whose stream is there.
  std::size_t open_exchanges() const { return open_.size(); }
  /// Gives up exchanges whose peer takes nothing of what is written, and requests that go on though
  /// they were answered. To be called several times a second.
  void look(Clock::time_point now);

  /// The peer's first SETTINGS came.
  bool greeted() const { return !heads_.before_first(); }
  bool in_header_block() const { return guard_.in_header_block(); }
  std::uint64_t header_blocks() const { return guard_.header_blocks(); }
  /// Something: that was too much of, and the connection ends for it.
  std::optional<Flood> flood() const { return flood_; }
  /// The peer broke the protocol, and the connection ends for it.
  bool failed() const { return failed_; }
  /// What it did wrong, in nghttp2's words; may be of a stream that failed before.
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
  /// Each is held once for being here.
  struct Open {
    List<OpenTag> list;
    std::size_t count = 0;
    std::size_t size() const { return count; }
  };
  Open open_;
  /// Those among them that wait for their handler to be started.
  List<BegunTag> begun_;
  /// Of what is being submitted; kept for its memory.
  std::vector<nghttp2_nv> pairs_;

  Clock::time_point now_;
  std::optional<Flood> flood_;
  bool failed_ = false;
  std::string failure_;
  std::size_t pings_open_ = 0;
  bool announced_ = false;
  bool ended_requests_ = false;
};

}  // namespace onceproxy::http2
