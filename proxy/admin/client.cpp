#include "proxy/admin/client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <exception>
#include <vector>

#include "proxy/tls/failure.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr std::size_t body_bytes_max = std::size_t{64} << 20;

/// Where the endpoint may be; a name can stand for several addresses.
std::vector<Protocol::endpoint> addresses_of(const Endpoint& endpoint, asio::io_context& context,
                                             error_code& error) {
  if (!endpoint.unix_path.empty()) {
    return {asio::local::stream_protocol::endpoint(endpoint.unix_path)};
  }
  asio::ip::tcp::resolver resolver(context);
  std::vector<Protocol::endpoint> out;
  for (const auto& entry : resolver.resolve(endpoint.host, std::to_string(endpoint.port), error)) {
    out.emplace_back(entry.endpoint());
  }
  return out;
}

class Asking {
 public:
  Asking(asio::io_context& context, const Endpoint& endpoint, const ClientRequest& request)
      : endpoint_(endpoint), request_(request), stream_(context) {}

  /// The addresses, one after the other, then the request on the first that connects; all of it
  /// ends at the deadline.
  asio::awaitable<void> run(const std::vector<Protocol::endpoint>& addresses,
                            std::chrono::milliseconds patience);

  tl::expected<ClientResponse, std::string> result = tl::unexpected(std::string());

 private:
  asio::awaitable<void> over_tls(const http::request<http::string_body>& message);
  template <typename Stream>
  asio::awaitable<void> exchange(Stream& stream, const http::request<http::string_body>& message);
  http::request<http::string_body> message() const;
  void fail(std::string_view what, const error_code& error) {
    const bool slow = error == boost::beast::error::timeout;
    result = tl::unexpected(endpoint_.text() + ": " + std::string(what) + ": " +
                            (slow ? "it took too long" : error.message()));
  }

  const Endpoint& endpoint_;
  const ClientRequest& request_;
  boost::beast::basic_stream<Protocol> stream_;
};

asio::awaitable<void> Asking::run(const std::vector<Protocol::endpoint>& addresses,
                                  std::chrono::milliseconds patience) {
  error_code error = asio::error::host_not_found;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  stream_.expires_after(patience);
  for (const Protocol::endpoint& address : addresses) {
    error_code ignored;
    stream_.socket().close(ignored);
    co_await stream_.async_connect(address, token);
    if (!error || error == boost::beast::error::timeout) break;
  }
  if (error) {
    fail("cannot connect", error);
    co_return;
  }
  const http::request<http::string_body> request = message();
  if (request_.tls) {
    co_await over_tls(request);
  } else {
    co_await exchange(stream_, request);
  }
}

http::request<http::string_body> Asking::message() const {
  http::request<http::string_body> message{http::string_to_verb(request_.method), request_.target,
                                           11};
  const bool tcp = endpoint_.unix_path.empty();
  message.set(http::field::host, tcp ? endpoint_.text() : "localhost");
  message.set(http::field::connection, "close");
  if (!request_.token.empty()) message.set(http::field::authorization, "Bearer " + request_.token);
  message.body() = request_.body;
  message.prepare_payload();
  return message;
}

asio::awaitable<void> Asking::over_tls(const http::request<http::string_body>& message) {
  tls::Connection connection = request_.tls->connect();
  if (!connection) {
    result = tl::unexpected(std::string("no memory for TLS"));
    co_return;
  }
  asio::ssl::stream<boost::beast::basic_stream<Protocol>&> stream(stream_, connection.release());
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await stream.async_handshake(asio::ssl::stream_base::client, token);
  if (!error) {
    co_await exchange(stream, message);
  } else if (error.category() == asio::error::get_ssl_category()) {
    const auto code = static_cast<unsigned long>(error.value());
    result = tl::unexpected(endpoint_.text() + ": no TLS connection: " +
                            tls::failure_of(stream.native_handle(), code).message);
  } else {
    fail("no TLS connection", error);
  }
}

template <typename Stream>
asio::awaitable<void> Asking::exchange(Stream& stream,
                                       const http::request<http::string_body>& message) {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await http::async_write(stream, message, token);
  if (error) {
    fail("cannot send", error);
    co_return;
  }
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(body_bytes_max);
  co_await http::async_read(stream, buffer, parser, token);
  if (error) {
    fail("cannot read the answer", error);
    co_return;
  }
  auto response = parser.release();
  result = ClientResponse{static_cast<int>(response.result_int()), std::move(response.body())};
}

}  // namespace

tl::expected<ClientResponse, std::string> ask(const Endpoint& endpoint,
                                              const ClientRequest& request,
                                              std::chrono::milliseconds patience) {
  asio::io_context context{1};
  error_code error;
  const auto addresses = addresses_of(endpoint, context, error);
  if (error) {
    return tl::unexpected(endpoint.text() + ": cannot find the host: " + error.message());
  }
  Asking asking(context, endpoint, request);
  asio::co_spawn(context, asking.run(addresses, patience), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  context.run();
  return std::move(asking.result);
}

}  // namespace onceproxy::admin
