#include "proxy/http2/session.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace onceproxy::http2 {

namespace {

/// Replies that the peer does not read, besides those that exchanges make.
constexpr std::size_t queued_frames_max = 1'000;
/// What one call hands to nghttp2: a flood that it notices while sending is seen soon.
constexpr std::size_t piece_bytes = 16 * 1024;
/// RFC 9113, section 6.5.2: what each field counts besides its bytes.
constexpr std::size_t field_overhead = 32;
constexpr int too_large = 431;
/// How long, and how many bytes, a request may go on that was answered, before it is reset without
/// an error (RFC 9113, section 8.1). Some clients take a reset for a failure that comes together
/// with the answer.
constexpr std::chrono::milliseconds unwanted_time{1'000};
constexpr std::size_t unwanted_bytes_max = 64 * 1024;

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  // nghttp2 copies both, and changes neither.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

void append(const Fields& fields, std::vector<nghttp2_nv>& pairs) {
  for (const Field& field : fields) pairs.push_back(pair_of(field.name, field.value));
}

}  // namespace

// --- nghttp2's side

struct Session::Callbacks {
  static Session& self(void* data) { return *static_cast<Session*>(data); }
  static std::string_view text(nghttp2_rcbuf* buffer) {
    const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
    return {reinterpret_cast<const char*>(bytes.base), bytes.len};
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    return self(data).head_begins(*frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, std::uint8_t, void* data) {
    return self(data).field(*frame, text(name), text(value));
  }
  /// RFC 9113, section 8.2.1: malformed; nghttp2 would leave the field out.
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*,
                            std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream,
                        const std::uint8_t* bytes, std::size_t size, void* data) {
    Session& session = self(data);
    if (Exchange* const exchange = session.exchange_of(stream)) {
      exchange->took({reinterpret_cast<const char*>(bytes), size});
      if (exchange->unwanted_bytes_ > unwanted_bytes_max) exchange->reset(no_error);
    } else {
      session.consumed(stream, size);
    }
    return 0;
  }
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    return self(data).frame_received(*frame);
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    self(data).frame_sent(*frame);
    return 0;
  }
  /// A head that cannot be sent, because it is too large.
  static int frame_not_sent(nghttp2_session* native, const nghttp2_frame* frame, int, void*) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, frame->hd.stream_id, internal_error);
    }
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* data) {
    self(data).stream_closed(stream, error);
    return 0;
  }
  static int error(nghttp2_session*, int code, const char* text, std::size_t size, void* data) {
    // That text has the field's value, which is not for the log; and only a stream fails.
    if (code != NGHTTP2_ERR_HTTP_HEADER) self(data).failure_.assign(text, size);
    return 0;
  }
  static ssize_t give(nghttp2_session* native, std::int32_t stream, std::uint8_t* to,
                      std::size_t room, std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    const std::size_t given = exchange.give(to, room);
    if (given > 0) return static_cast<ssize_t>(given);
    if (!exchange.ended_) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!exchange.answer_trailers_.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv> pairs;
      append(exchange.answer_trailers_, pairs);
      if (nghttp2_submit_trailer(native, stream, pairs.data(), pairs.size()) != 0) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
    return 0;
  }

  struct Set {
    Set() {
      if (nghttp2_session_callbacks_new(&native) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(native, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback2(native, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback2(native, invalid_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(native, data_chunk);
      nghttp2_session_callbacks_set_on_frame_recv_callback(native, Callbacks::frame_received);
      nghttp2_session_callbacks_set_on_frame_send_callback(native, Callbacks::frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(native, frame_not_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(native, Callbacks::stream_closed);
      nghttp2_session_callbacks_set_error_callback2(native, error);
    }
    ~Set() { nghttp2_session_callbacks_del(native); }
    Set(const Set&) = delete;
    Set& operator=(const Set&) = delete;
    nghttp2_session_callbacks* native = nullptr;
  };
};

Session::Session(Owner& owner, io::EventLoop& loop, const Limits& limits,
                 std::shared_ptr<Origin> origin, telemetry::Http2Counters& counters)
    : owner_(owner),
      loop_(loop),
      limits_(limits),
      origin_(std::move(origin)),
      counters_(counters),
      guard_(limits, loop.now()),
      now_(loop.now()) {
  static const Callbacks::Set callbacks;
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  // Windows open as handlers take what came.
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, queued_frames_max);
  nghttp2_option_set_stream_reset_rate_limit(option, limits.resets.burst, limits.resets.per_second);
  nghttp2_option_set_max_continuations(option, limits.continuations);
  nghttp2_session* native = nullptr;
  const int made = nghttp2_session_server_new2(&native, callbacks.native, this, option);
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

// --- what exchanges ask for

void Session::consumed(std::int32_t stream, std::size_t bytes) {
  if (bytes == 0) return;
  if (stream == 0) {
    nghttp2_session_consume_connection(native_.get(), bytes);
  } else {
    nghttp2_session_consume(native_.get(), stream, bytes);
  }
  owner_.wants_to_write();
}

void Session::respond(Exchange& exchange, int status, const Fields& fields, bool ends) {
  const std::string text = std::to_string(status);
  std::vector<nghttp2_nv> pairs{pair_of(":status", text)};
  append(fields, pairs);
  nghttp2_data_provider body{};
  body.source.ptr = &exchange;
  body.read_callback = Callbacks::give;
  nghttp2_submit_response(native_.get(), exchange.id_, pairs.data(), pairs.size(),
                          ends ? nullptr : &body);
  owner_.wants_to_write();
}

void Session::interim(Exchange& exchange, int status, const Fields& fields) {
  const std::string text = std::to_string(status);
  std::vector<nghttp2_nv> pairs{pair_of(":status", text)};
  append(fields, pairs);
  nghttp2_submit_headers(native_.get(), NGHTTP2_FLAG_NONE, exchange.id_, nullptr, pairs.data(),
                         pairs.size(), nullptr);
  owner_.wants_to_write();
}

void Session::resume(std::int32_t stream) {
  nghttp2_session_resume_data(native_.get(), stream);
  owner_.wants_to_write();
}

void Session::reset(std::int32_t stream, std::uint32_t error) {
  nghttp2_submit_rst_stream(native_.get(), NGHTTP2_FLAG_NONE, stream, error);
  owner_.wants_to_write();
}

// --- requests

int Session::head_begins(const nghttp2_frame& frame) {
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    if (Exchange* const exchange = exchange_of(frame.hd.stream_id)) {
      exchange->field_bytes_ = exchange->field_count_ = 0;
    }
    return 0;
  }
  const Exchange::Pointer exchange(new Exchange(*this, loop_, origin_, frame.hd.stream_id));
  intrusive_ptr_add_ref(exchange.get());
  open_.list.push_back(*exchange);
  ++open_.count;
  counters_.stream_began();
  nghttp2_session_set_stream_user_data(native_.get(), frame.hd.stream_id, exchange.get());
  return 0;
}

int Session::field(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  Exchange* const exchange = exchange_of(frame.hd.stream_id);
  if (exchange == nullptr || exchange->fields_too_large_) return 0;
  exchange->field_bytes_ += name.size() + value.size() + field_overhead;
  if (exchange->field_bytes_ > limits_.header_bytes ||
      ++exchange->field_count_ > limits_.header_fields) {
    exchange->fields_too_large_ = true;
    return 0;
  }
  RequestHead& head = exchange->request_;
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    exchange->trailers_.push_back({std::string(name), std::string(value)});
  } else if (!name.starts_with(':')) {
    if (name == "host" && head.authority.empty()) head.authority = value;
    head.fields.push_back({std::string(name), std::string(value)});
  } else if (name == ":method") {
    head.method = value;
  } else if (name == ":scheme") {
    head.scheme = value;
  } else if (name == ":authority") {
    head.authority = value;
  } else if (name == ":path") {
    head.path = value;
  }
  return 0;
}

int Session::frame_received(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
    if (pings_open_ > 0) --pings_open_;
    return 0;
  }
  if (frame.hd.type == NGHTTP2_RST_STREAM) counters_.reset(telemetry::Http2Reset::received);
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Exchange* const exchange = exchange_of(frame.hd.stream_id);
  if (exchange == nullptr) return 0;
  const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    head_complete(*exchange, ends);
  } else if (frame.hd.type == NGHTTP2_HEADERS && exchange->fields_too_large_) {
    counters_.refused(telemetry::Http2Refusal::headers);
    reset(frame.hd.stream_id, cancel_error);
  } else if (ends) {
    exchange->request_complete();
  }
  return 0;
}

void Session::head_complete(Exchange& exchange, bool ends) {
  if (ends) exchange.request_ended_ = true;
  if (exchange.fields_too_large_) {
    counters_.refused(telemetry::Http2Refusal::headers);
    turn_away(exchange, too_large);
  } else if (origin_->handlers >= limits_.streams) {
    // Streams that were reset, and whose handlers have not ended yet.
    counters_.refused(telemetry::Http2Refusal::streams);
    exchange.ended_ = exchange.handled_ = true;
    reset(exchange.id_, NGHTTP2_REFUSED_STREAM);
  } else {
    ++origin_->handlers;
    begun_.push_back(exchange);
  }
}

/// Answers a request that no handler sees.
void Session::turn_away(Exchange& exchange, int status) {
  exchange.responded_ = exchange.ended_ = exchange.handled_ = true;
  respond(exchange, status, {}, true);
}

Exchange::Pointer Session::begun() {
  if (begun_.empty()) return nullptr;
  const Exchange::Pointer exchange(&begun_.front());
  begun_.pop_front();
  return exchange;
}

void Session::frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_DATA && frame.hd.length > 0) guard_.data_sent();
  if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != no_error) {
    failed_ = !flood_;
    if (failed_ && frame.goaway.opaque_data_len > 0) {
      failure_.assign(reinterpret_cast<const char*>(frame.goaway.opaque_data),
                      frame.goaway.opaque_data_len);
    }
  }
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    const std::uint32_t error = frame.rst_stream.error_code;
    // Ours are these; the others are for what the peer did.
    const bool own = error == no_error || error == cancel_error || error == internal_error;
    counters_.reset(telemetry::Http2Reset::sent);
    if (own) return;
    if (const auto flood = guard_.reset_sent(now_)) flooded(*flood);
    return;
  }
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  Exchange* const exchange = exchange_of(frame.hd.stream_id);
  if (exchange != nullptr && !exchange->request_ended_) exchange->answered_ = now_;
}

void Session::stream_closed(std::int32_t stream, std::uint32_t error) {
  Exchange* const exchange = exchange_of(stream);
  if (exchange == nullptr) return;
  nghttp2_session_set_stream_user_data(native_.get(), stream, nullptr);
  open_.list.erase(open_.list.iterator_to(*exchange));
  --open_.count;
  if (exchange->ExchangeHook<BegunTag>::is_linked()) {
    begun_.erase(begun_.iterator_to(*exchange));
    --origin_->handlers;
  }
  counters_.stream_ended();
  // In order: the answer was sent whole, and END_STREAM or a reset without an error came or went.
  const bool in_order = exchange->ended_ && error == no_error;
  exchange->detach(in_order ? std::nullopt : std::optional(Gone::reset));
  intrusive_ptr_release(exchange);
}

}  // namespace onceproxy::http2
