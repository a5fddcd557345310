// nghttp2's callbacks, each handed to the session it is about.
#include <new>

#include "proxy/http2/session.hpp"

namespace onceproxy::http2 {

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
    self(data).data(stream, {reinterpret_cast<const char*>(bytes), size});
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
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* data) {
    if (frame->hd.type == NGHTTP2_HEADERS) self(data).head_not_sent(frame->hd.stream_id);
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* data) {
    self(data).stream_closed(stream, error);
    return 0;
  }
  static int error(nghttp2_session*, int code, const char* text, std::size_t size, void* data) {
    // The text of nghttp2 contains the value of the field, which must not be logged. Only the
    // stream fails.
    if (code != NGHTTP2_ERR_HTTP_HEADER) self(data).failure_.assign(text, size);
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

const nghttp2_session_callbacks* Session::callbacks() {
  static const Callbacks::Set all;
  return all.native;
}

}  // namespace onceproxy::http2
