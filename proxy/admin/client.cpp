#include "proxy/admin/client.hpp"

#include <sys/socket.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <vector>

#include "proxy/tls/failure.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr std::size_t body_bytes_max = std::size_t{64} << 20;

std::string text_of(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return "unix:" + endpoint.unix_path;
  const bool ipv6 = endpoint.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

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

/// The kernel's own bound on each blocking call; on Linux it bounds connect() too.
void bound_waits(Protocol::socket& socket, std::chrono::seconds patience) {
  const timeval bound{static_cast<time_t>(patience.count()), 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    ::setsockopt(socket.native_handle(), SOL_SOCKET, option, &bound, sizeof bound);
  }
}

error_code connect(Protocol::socket& socket, const std::vector<Protocol::endpoint>& addresses,
                   std::chrono::seconds patience) {
  error_code error = asio::error::host_not_found;
  for (const Protocol::endpoint& address : addresses) {
    error_code ignored;
    socket.close(ignored);
    socket.open(address.protocol(), error);
    if (error) continue;
    bound_waits(socket, patience);
    socket.connect(address, error);
    if (!error) break;
  }
  return error;
}

}  // namespace

tl::expected<ClientResponse, std::string> ask(const Endpoint& endpoint,
                                              const ClientRequest& request,
                                              std::chrono::seconds patience) {
  const auto failed = [&](std::string_view what, const error_code& error) {
    const bool slow = error == asio::error::would_block || error == asio::error::try_again;
    return tl::unexpected(text_of(endpoint) + ": " + std::string(what) + ": " +
                          (slow ? "no answer in time" : error.message()));
  };
  asio::io_context context{1};
  error_code error;
  const auto addresses = addresses_of(endpoint, context, error);
  if (error) return failed("cannot find the host", error);
  Protocol::socket socket(context);
  error = connect(socket, addresses, patience);
  if (error) return failed("cannot connect", error);

  const auto verb = http::string_to_verb(request.method);
  http::request<http::string_body> message{verb, request.target, 11};
  message.set(http::field::host, endpoint.unix_path.empty() ? text_of(endpoint) : "localhost");
  message.set(http::field::connection, "close");
  if (!request.token.empty()) message.set(http::field::authorization, "Bearer " + request.token);
  message.body() = request.body;
  message.prepare_payload();

  const auto asked = [&](auto& stream) -> tl::expected<ClientResponse, std::string> {
    http::write(stream, message, error);
    if (error) return failed("cannot send", error);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    http::read(stream, buffer, parser, error);
    if (error) return failed("no answer", error);
    auto response = parser.release();
    return ClientResponse{static_cast<int>(response.result_int()), std::move(response.body())};
  };
  if (!request.tls) return asked(socket);
  tls::Connection connection = request.tls->connect();
  if (!connection) return tl::unexpected(std::string("no memory for TLS"));
  asio::ssl::stream<Protocol::socket&> stream(socket, connection.release());
  stream.handshake(asio::ssl::stream_base::client, error);
  if (error.category() == asio::error::get_ssl_category() && error) {
    const auto code = static_cast<unsigned long>(error.value());
    return tl::unexpected(text_of(endpoint) + ": no TLS connection: " +
                          tls::failure_of(stream.native_handle(), code).message);
  }
  if (error) return failed("no TLS connection", error);
  return asked(stream);
}

}  // namespace onceproxy::admin
