// A session of ours, and a client by nghttp2 at its other end, without sockets: what either says is
// carried over whenever the loop has nothing else to do, and then the test's next step runs.
#pragma once

#include <nghttp2/nghttp2.h>

#include <catch2/catch.hpp>
#include <coroutine>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/http2/session.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http2::testing {

struct Answer {
  std::map<std::string, std::string> fields;
  std::map<std::string, std::string> trailers;
  std::string body;
  /// Where the stream is closed.
  std::optional<std::uint32_t> error;
};

/// A client that takes what comes, and opens its windows only on demand.
class Client {
 public:
  Client() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_client_new2(&native, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(native, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Client() { nghttp2_session_del(native); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A request whose body, if any, is given with send(); `open`: it has one.
  std::int32_t request(const std::string& path, bool open, const Fields& more = {}) {
    Fields fields{{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", path}};
    fields.insert(fields.end(), more.begin(), more.end());
    std::vector<nghttp2_nv> pairs;
    for (Field& field : fields) {
      pairs.push_back({reinterpret_cast<std::uint8_t*>(field.name.data()),
                       reinterpret_cast<std::uint8_t*>(field.value.data()), field.name.size(),
                       field.value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    auto body = std::make_unique<Body>();
    nghttp2_data_provider provider{};
    provider.source.ptr = body.get();
    provider.read_callback = on_read;
    const std::int32_t stream = nghttp2_submit_request(native, nullptr, pairs.data(), pairs.size(),
                                                       open ? &provider : nullptr, nullptr);
    REQUIRE(stream > 0);
    bodies_[stream] = std::move(body);
    return stream;
  }
  void send(std::int32_t stream, std::string_view bytes, bool ends) {
    bodies_.at(stream)->bytes += bytes;
    bodies_.at(stream)->ends = ends;
    nghttp2_session_resume_data(native, stream);
  }
  void open_windows(std::int32_t stream, std::int32_t bytes) {
    nghttp2_submit_window_update(native, NGHTTP2_FLAG_NONE, 0, bytes);
    nghttp2_submit_window_update(native, NGHTTP2_FLAG_NONE, stream, bytes);
  }

  nghttp2_session* native = nullptr;
  std::map<std::int32_t, Answer> answers;
  std::vector<std::pair<std::int32_t, std::uint32_t>> goaways;

 private:
  struct Body {
    std::string bytes;
    bool ends = false;
  };

  static Client& self(void* data) { return *static_cast<Client*>(data); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* data) {
    Answer& answer = self(data).answers[frame->hd.stream_id];
    auto& fields = frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? answer.fields : answer.trailers;
    fields[{reinterpret_cast<const char*>(name), name_size}] = {
        reinterpret_cast<const char*>(value), value_size};
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                     std::size_t size, void* data) {
    self(data).answers[stream].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* data) {
    self(data).answers[stream].error = error;
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self(data).goaways.emplace_back(frame->goaway.last_stream_id, frame->goaway.error_code);
    }
    return 0;
  }
  static ssize_t on_read(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room,
                         std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Body& body = *static_cast<Body*>(source->ptr);
    const std::size_t given = body.bytes.copy(reinterpret_cast<char*>(to), room);
    body.bytes.erase(0, given);
    if (body.bytes.empty() && body.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (given == 0 && !body.ends) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(given);
  }

  std::map<std::int32_t, std::unique_ptr<Body>> bodies_;
};

/// co_await Wait{handle}: until the test resumes it.
struct Wait {
  std::coroutine_handle<>& waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
};

/// `serve` serves the requests. Steps run one after the other, each when all is quiet.
class World final : private Session::Owner {
 public:
  using Serve = std::function<io::Task<void>(Exchange&)>;

  explicit World(Serve serve, const Limits& its_limits = {})
      : limits(its_limits), serve_(std::move(serve)) {
    Session::Owner& owner = *this;
    session.emplace(owner, loop, limits, origin, counters);
  }

  void step(std::function<void()> what) { steps_.push_back(std::move(what)); }
  /// All that the client has to send.
  std::string client_output() {
    std::string out;
    const std::uint8_t* bytes = nullptr;
    ssize_t size = 0;
    while ((size = nghttp2_session_mem_send(client.native, &bytes)) > 0) {
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    return out;
  }
  /// One read of the server; the handlers of its requests are started afterwards.
  void read(std::string_view bytes) {
    good = session->receive(bytes, loop.now());
    while (Exchange::Pointer exchange = session->begun()) {
      io::start(handle(serve_, std::move(exchange)));
    }
  }
  void run() {
    loop.run();
    CHECK(origin->handlers == 0);
  }

  io::EventLoop loop{[] {}, [this](bool) { return round(); }};
  const Limits limits;
  telemetry::Http2Counters counters;
  std::shared_ptr<Origin> origin = std::make_shared<Origin>();
  std::optional<Session> session;
  Client client;
  /// What receive() gave last.
  bool good = true;
  /// How many times in a row the session had something to send, the last time.
  int sent_at_once = 0;

 private:
  /// What handlers do is done within so many rounds.
  static constexpr int quiet_rounds = 4;

  void wants_to_write() override {}

  static io::Task<void> handle(const Serve& serve, Exchange::Pointer exchange) {
    co_await serve(*exchange);
    exchange->handler_ended();
  }

  bool carry() {
    bool moved = false;
    const std::uint8_t* bytes = nullptr;
    ssize_t size = 0;
    while ((size = nghttp2_session_mem_send(client.native, &bytes)) > 0) {
      moved = true;
      read({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
    }
    std::string out;
    session->frames(out, 1'000'000, loop.now());
    if (!out.empty()) sent_at_once = was_sending_ ? sent_at_once + 1 : 1;
    was_sending_ = !out.empty();
    if (out.empty()) return moved;
    nghttp2_session_mem_recv(client.native, reinterpret_cast<const std::uint8_t*>(out.data()),
                             out.size());
    return true;
  }

  bool round() {
    if (session && carry()) quiet_ = 0;
    if (++quiet_ < quiet_rounds) return false;
    quiet_ = 0;
    if (next_ < steps_.size()) {
      steps_[next_++]();
    } else if (session) {
      session.reset();
    } else {
      loop.stop();
    }
    return false;
  }

  const Serve serve_;
  bool was_sending_ = false;
  std::vector<std::function<void()>> steps_;
  std::size_t next_ = 0;
  int quiet_ = 0;
};

}  // namespace onceproxy::http2::testing
