// The requests of a client: their heads, bodies and trailers are stored in their exchanges.
#include <utility>

#include "proxy/http2/session.hpp"

namespace onceproxy::http2 {

namespace {

/// The size of a field in addition to its name and value (RFC 9113, section 6.5.2).
constexpr std::size_t field_overhead = 32;
/// Enough for most requests.
constexpr std::size_t fields_expected = 16;
constexpr int too_large = 431;
/// How many bytes of a request may arrive after its answer, before its stream is reset without an
/// error (RFC 9113, section 8.1).
constexpr std::size_t unwanted_bytes_max = 64 * 1024;

}  // namespace

int Session::head_begins(const nghttp2_frame& frame) {
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    if (Exchange* const exchange = exchange_of(frame.hd.stream_id)) {
      exchange->field_bytes_ = exchange->field_count_ = 0;
    }
    return 0;
  }
  const Exchange::Pointer exchange(new Exchange(*this, loop_, origin_, frame.hd.stream_id));
  exchange->request_.fields.reserve(fields_expected);
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

void Session::data(std::int32_t stream, std::string_view bytes) {
  held_bytes_ += bytes.size();
  Exchange* const exchange = exchange_of(stream);
  if (exchange == nullptr) return consumed(stream, bytes.size());
  exchange->took(bytes);
  if (exchange->unwanted_bytes_ > unwanted_bytes_max) exchange->reset(no_error);
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
  } else if (origin_->handlers >= limits_.handlers_max()) {
    // Streams that were reset and whose handlers have not returned yet.
    counters_.refused(telemetry::Http2Refusal::streams);
    exchange.ended_ = exchange.handled_ = true;
    reset(exchange.id_, NGHTTP2_REFUSED_STREAM);
  } else {
    ++origin_->handlers;
    begun_.push_back(exchange);
  }
}

/// Answers a request that is not given to a handler.
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

void Session::stream_closed(std::int32_t stream, std::uint32_t error) {
  Exchange* const exchange = exchange_of(stream);
  if (exchange == nullptr) return;
  nghttp2_session_set_stream_user_data(native_.get(), stream, nullptr);
  open_.list.erase(open_.list.iterator_to(*exchange));
  --open_.count;
  const bool not_started = exchange->ExchangeHook<BegunTag>::is_linked();
  if (not_started) {
    begun_.erase(begun_.iterator_to(*exchange));
    --origin_->handlers;
  }
  counters_.stream_ended();
  // In order: the answer was sent whole, and END_STREAM or a reset without an error came or went.
  const bool in_order = exchange->ended_ && error == no_error;
  exchange->detach(in_order ? std::nullopt : std::optional(Gone::reset));
  // No handler will take its body, so the connection's window gets the bytes back now.
  if (not_started) exchange->drop_body();
  intrusive_ptr_release(exchange);
}

}  // namespace onceproxy::http2
