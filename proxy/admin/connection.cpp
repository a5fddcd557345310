#include "proxy/admin/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/listen.hpp"
#include "proxy/admin/target.hpp"
#include "proxy/telemetry/tls_metrics.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;

/// From the end of one answer to the end of the next head; above a usual scrape interval.
constexpr std::chrono::seconds idle_time{75};
constexpr std::chrono::seconds body_time{10};
constexpr std::chrono::seconds answer_time{10};
/// How long what a refused client still sends is read and thrown away, so that the answer reaches
/// it before a reset does.
constexpr std::chrono::seconds linger_time{1};
constexpr std::chrono::seconds handshake_time{10};

/// How an answer is to be sent.
struct Manner {
  unsigned version = 11;
  bool keep_alive = false;
  bool head_only = false;
};

/// The status that answers a request which could not be read; 0 if no answer is expected.
int status_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

/// RFC 9110 15.5.20. Names the remedy, and not the Host, which is text from the client.
constexpr const char* misdirected =
    "without a token this port answers only to a Host that is localhost, a loopback address or "
    "listed in admin.hosts\n";

bool reads(const Parser& parser) {
  const http::verb method = parser.get().method();
  return method == http::verb::get || method == http::verb::head;
}

/// What is wrong with a head, before its body is read.
std::optional<Response> refuse(const Parser& parser) {
  const auto& head = parser.get();
  if (head.version() == 11 && head.count(http::field::host) != 1)
    return plain(400, "exactly one Host is required\n");
  // Beast 1.81 throws on large trailers and accepts any amount of chunk extensions.
  if (parser.chunked()) return plain(411, "a Content-Length is required\n");
  if (!reads(parser) && head.count(http::field::origin) > 0)
    return plain(403, "web pages cannot use this port for changes\n");
  return std::nullopt;
}

asio::awaitable<error_code> send(Connection& connection, Routed answer, Manner manner) {
  http::response<http::string_body> message;
  message.version(manner.version);
  message.result(static_cast<unsigned>(answer.response.status));
  message.set(http::field::content_type, answer.response.content_type);
  message.set(http::field::cache_control, "no-cache, max-age=0");
  message.set("X-Content-Type-Options", "nosniff");
  if (!answer.allow.empty()) message.set(http::field::allow, answer.allow);
  if (answer.challenge) message.set(http::field::www_authenticate, "Bearer");
  message.keep_alive(manner.keep_alive);
  message.content_length(answer.response.body.size());
  if (!manner.head_only) message.body() = std::move(answer.response.body);
  http::response_serializer<http::string_body> serializer(message);
  error_code error;
  connection.stream.expires_after(answer_time);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (manner.head_only) {
    co_await http::async_write_header(connection.stream, serializer, token);
  } else {
    co_await http::async_write(connection.stream, serializer, token);
  }
  co_return error;
}

/// Answers and hangs up, politely.
asio::awaitable<void> send_last(Connection& connection, Routed answer, Manner manner) {
  connection.busy = true;
  manner.keep_alive = false;
  const error_code error = co_await send(connection, std::move(answer), manner);
  if (error) co_return;
  connection.stream.expires_after(linger_time);
  co_await connection.stream.finish();
}

/// Reads the body behind a head that was accepted.
asio::awaitable<error_code> read_body(Connection& connection, Parser& parser) {
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  connection.stream.expires_after(body_time);
  if (!parser.is_done() && beast::iequals(parser.get()[http::field::expect], "100-continue"))
    co_await asio::async_write(connection.stream, asio::buffer(go_on), token);
  if (!error && !parser.is_done())
    co_await http::async_read(connection.stream, connection.buffer, parser, token);
  co_return error;
}

}  // namespace

asio::awaitable<bool> open(Connection& connection, const ServerTls& tls) {
  if (!connection.stream.encrypted()) co_return true;
  connection.stream.expires_after(handshake_time);
  const std::optional<tls::Failure> failure = co_await connection.stream.handshake();
  if (failure) {
    tls.metrics->failed(tls.which, peer_address(connection.stream.socket().native_handle()),
                        failure->reason, failure->message);
    co_return false;
  }
  tls.metrics->handshake(tls.which, connection.stream.resumed());
  connection.subject = connection.stream.subject();
  co_return true;
}

asio::awaitable<bool> exchange(Connection& connection, const Routes& routes, const bool& stopping) {
  Parser parser;
  parser.header_limit(head_bytes_max);
  parser.body_limit(routes.body_bytes_max());
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  connection.stream.expires_after(idle_time);
  co_await http::async_read_header(connection.stream, connection.buffer, parser, token);

  std::optional<Routed> refusal;
  if (!error) {
    if (std::optional<Response> response = refuse(parser)) refusal = Routed{*response, {}};
    if (!refusal && !routes.answers_to(parser.get()[http::field::host])) {
      refusal = Routed{plain(421, misdirected), {}};
    }
    if (!refusal) refusal = routes.refuse(parser.get()[http::field::authorization], reads(parser));
    if (!refusal) error = co_await read_body(connection, parser);
  }
  if (error) {
    const int status = status_of(error);
    if (status == 0) co_return false;
    refusal = Routed{plain(status, error.message() + "\n"), {}};
  }
  Manner manner;
  if (refusal) {
    co_await send_last(connection, std::move(*refusal), manner);
    co_return false;
  }

  connection.busy = true;
  const auto& message = parser.get();
  manner.version = message.version();
  manner.keep_alive = message.keep_alive() && !stopping;
  manner.head_only = message.method() == http::verb::head;
  std::optional<Target> target = parse_target(message.target());
  std::string peer = peer_address(connection.stream.socket().native_handle());
  if (!connection.subject.empty()) peer += " (" + connection.subject + ")";
  Routed answer{plain(400, "malformed request target\n"), {}};
  if (target)
    answer = routes.answer({std::string(message.method_string()), std::move(target->path),
                            std::move(target->query), message.body(), std::move(peer)});
  if (!manner.keep_alive && connection.stream.encrypted()) {
    // A client may take an end without close_notify for an answer that was cut off.
    co_await send_last(connection, std::move(answer), manner);
    co_return false;
  }
  error = co_await send(connection, std::move(answer), manner);
  co_return !error && manner.keep_alive;
}

}  // namespace onceproxy::admin
