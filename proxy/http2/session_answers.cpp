// What a server sends: the answers of exchanges, as frames.
#include <string>

#include "proxy/http2/session.hpp"

namespace onceproxy::http2 {

namespace {

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  // nghttp2 copies both and does not change them.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

/// Arguments for one call of nghttp2. They are views of `status`, if there is one, and of `fields`.
const std::vector<nghttp2_nv>& Session::pairs_of(std::string_view status, const Fields& fields) {
  pairs_.clear();
  if (!status.empty()) pairs_.push_back(pair_of(":status", status));
  for (const Field& field : fields) pairs_.push_back(pair_of(field.name, field.value));
  return pairs_;
}

void Session::consumed(std::int32_t stream, std::size_t bytes) {
  if (bytes == 0) return;
  held_bytes_ -= bytes;
  if (stream == 0) {
    nghttp2_session_consume_connection(native_.get(), bytes);
  } else {
    nghttp2_session_consume(native_.get(), stream, bytes);
  }
  owner_.wants_to_write();
}

void Session::respond(Exchange& exchange, int status, const Fields& fields, bool ends) {
  const std::string text = std::to_string(status);
  const std::vector<nghttp2_nv>& pairs = pairs_of(text, fields);
  nghttp2_data_provider body{};
  body.source.ptr = &exchange;
  body.read_callback = read_answer;
  nghttp2_submit_response(native_.get(), exchange.id_, pairs.data(), pairs.size(),
                          ends ? nullptr : &body);
  owner_.wants_to_write();
}

void Session::interim(Exchange& exchange, int status, const Fields& fields) {
  const std::string text = std::to_string(status);
  const std::vector<nghttp2_nv>& pairs = pairs_of(text, fields);
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

/// Called by nghttp2 for the next bytes of an answer's body.
ssize_t Session::read_answer(nghttp2_session* native, std::int32_t stream, std::uint8_t* to,
                             std::size_t room, std::uint32_t* flags, nghttp2_data_source* source,
                             void* data) {
  auto& exchange = *static_cast<Exchange*>(source->ptr);
  const std::size_t given = exchange.give(to, room);
  if (!exchange.ended_ || exchange.reset_) {
    return given > 0 ? static_cast<ssize_t>(given) : ssize_t{NGHTTP2_ERR_DEFERRED};
  }
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!exchange.answer_trailers_.empty()) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const std::vector<nghttp2_nv>& pairs =
        static_cast<Session*>(data)->pairs_of({}, exchange.answer_trailers_);
    if (nghttp2_submit_trailer(native, stream, pairs.data(), pairs.size()) != 0) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
  }
  return static_cast<ssize_t>(given);
}

/// The stream fails, and its handler is told when it is closed.
void Session::head_not_sent(std::int32_t stream) {
  if (Exchange* const exchange = exchange_of(stream)) exchange->reset_ = true;
  reset(stream, internal_error);
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
    counters_.reset(telemetry::Http2Reset::sent);
    const Exchange* const exchange = exchange_of(frame.hd.stream_id);
    // All other resets were caused by the client.
    const bool own = exchange != nullptr && exchange->reset_;
    if (own) return;
    if (const auto flood = guard_.reset_sent(now_)) flooded(*flood);
    return;
  }
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  if (frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_RESPONSE) {
    guard_.answer_sent();
  }
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  Exchange* const exchange = exchange_of(frame.hd.stream_id);
  if (exchange != nullptr && !exchange->request_ended_) exchange->answered_ = now_;
}

}  // namespace onceproxy::http2
