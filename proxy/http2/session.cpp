#include "proxy/http2/session.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace onceproxy::http2 {

namespace {

/// Replies that the peer does not read, besides those that exchanges make.
constexpr std::size_t queued_frames_max = 1'000;
constexpr std::uint64_t resets_unbounded = 1'000'000'000;
/// What one call hands to nghttp2: a flood that it notices while sending is seen soon.
constexpr std::size_t piece_bytes = 16 * 1024;
/// How long a request may continue after its answer, before its stream is reset without an error
/// (RFC 9113, section 8.1). Some clients treat a reset that arrives together with the answer as a
/// failure.
constexpr std::chrono::milliseconds unwanted_time{1'000};

}  // namespace

Session::Session(Owner& owner, io::EventLoop& loop, const Limits& limits,
                 std::shared_ptr<Origin> origin, telemetry::Http2Counters& counters)
    : owner_(owner),
      loop_(loop),
      limits_(limits),
      origin_(std::move(origin)),
      counters_(counters),
      guard_(limits, loop.now()),
      now_(loop.now()) {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  // Windows open as handlers take what came.
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, queued_frames_max);
  // FloodGuard counts resets, and distinguishes those of answered streams.
  nghttp2_option_set_stream_reset_rate_limit(option, resets_unbounded, resets_unbounded);
  nghttp2_option_set_max_continuations(option, limits.continuations);
  nghttp2_session* native = nullptr;
  const int made = nghttp2_session_server_new2(&native, callbacks(), this, option);
  nghttp2_option_del(option);
  if (made != 0) throw std::bad_alloc();
  native_.reset(native);

  const std::array<nghttp2_settings_entry, 4> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)},
      // RFC 9113, section 5.3: the old priorities are a burden, and nobody's any more.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(native, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(native, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits.connection_window));
  origin_->session = this;
}

Session::~Session() {
  origin_->session = nullptr;
  for (; !begun_.empty(); begun_.pop_front()) --origin_->handlers;
  while (!open_.list.empty()) {
    Exchange& exchange = open_.list.front();
    open_.list.pop_front();
    exchange.detach(Gone::connection);
    counters_.stream_ended();
    intrusive_ptr_release(&exchange);
  }
}

Exchange* Session::exchange_of(std::int32_t stream) const {
  return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(native_.get(), stream));
}

/// Always false.
bool Session::fail(int error) {
  failed_ = true;
  if (failure_.empty()) failure_ = nghttp2_strerror(error);
  return false;
}

// --- bytes

bool Session::receive(std::string_view bytes, Clock::time_point now) {
  now_ = now;
  std::string_view rest = bytes;
  std::size_t good = bytes.size();
  std::optional<Flood> flood;
  while (const auto head = heads_.next(rest)) {
    flood = guard_.received(*head, now);
    if (!flood) continue;
    good = bytes.size() - rest.size();
    good -= std::min(good, FrameHeads::head_bytes);
    break;
  }
  if (!feed(bytes.substr(0, good))) return false;
  if (flood) flooded(*flood);
  owner_.wants_to_write();
  return true;
}

bool Session::feed(std::string_view bytes) {
  while (!bytes.empty() && !flood_) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    const ssize_t got = nghttp2_session_mem_recv(
        native_.get(), reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size());
    if (got == NGHTTP2_ERR_FLOODED) {
      flooded(Flood::unread);
      return false;
    }
    if (got < 0) return fail(static_cast<int>(got));
    const std::size_t queued = nghttp2_session_get_outbound_queue_size(native_.get());
    if (queued > queued_frames_max + 2 * limits_.streams) flooded(Flood::unread);
  }
  return true;
}

bool Session::frames(std::string& out, std::size_t bytes_max, Clock::time_point now) {
  now_ = now;
  while (out.size() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(native_.get(), &bytes);
    if (size < 0) return fail(static_cast<int>(size));
    if (size == 0) break;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  return true;
}

bool Session::over() const {
  return nghttp2_session_want_read(native_.get()) == 0 &&
         nghttp2_session_want_write(native_.get()) == 0;
}

void Session::flooded(Flood flood) {
  if (flood_) return;
  flood_ = flood;
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

// --- its end

void Session::announce_end() {
  if (std::exchange(announced_, true)) return;
  origin_->draining = true;
  nghttp2_submit_shutdown_notice(native_.get());
  ping();
}

void Session::end_requests() {
  if (std::exchange(ended_requests_, true)) return;
  nghttp2_submit_goaway(native_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(native_.get()), no_error, nullptr,
                        0);
  owner_.wants_to_write();
}

void Session::terminate(std::uint32_t error) {
  nghttp2_session_terminate_session(native_.get(), error);
  owner_.wants_to_write();
}

void Session::ping() {
  ++pings_open_;
  nghttp2_submit_ping(native_.get(), NGHTTP2_FLAG_NONE, nullptr);
  owner_.wants_to_write();
}

void Session::look(Clock::time_point now) {
  for (Exchange& exchange : open_.list) {
    if (exchange.stalled(now - limits_.stall)) {
      exchange.gone_ = Gone::reset;
      exchange.reset(cancel_error);
      counters_.stalled();
    } else if (exchange.answered_ && now - *exchange.answered_ >= unwanted_time) {
      exchange.reset(no_error);
    }
  }
}

}  // namespace onceproxy::http2
