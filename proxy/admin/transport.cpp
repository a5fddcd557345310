#include "proxy/admin/transport.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>

#include "proxy/tls/peer.hpp"

namespace onceproxy::admin {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace

Transport::Transport(Socket socket, std::shared_ptr<const tls::ServerContext> context)
    : plain_(std::move(socket)), context_(std::move(context)) {
  if (!context_) return;
  tls::Connection connection = context_->accept();
  if (!connection) throw std::bad_alloc();
  tls_.emplace(plain_, connection.release());
}

asio::awaitable<std::optional<tls::Failure>> Transport::handshake() {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await tls_->async_handshake(asio::ssl::stream_base::server, token);
  if (!error) co_return std::nullopt;
  if (error == boost::beast::error::timeout) {
    co_return tls::Failure{"timeout", "the handshake took too long"};
  }
  const bool told = error.category() == asio::error::get_ssl_category();
  const unsigned long code = told ? static_cast<unsigned long>(error.value()) : 0;
  co_return tls::failure_of(tls_->native_handle(), code);
}

bool Transport::resumed() {
  return SSL_session_reused(tls_->native_handle()) == 1;
}

std::string Transport::subject() {
  if (!tls_) return {};
  const auto peer = tls::peer_of(tls_->native_handle());
  return peer ? peer->subject : std::string();
}

asio::awaitable<void> Transport::finish() {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (tls_) {
    co_await tls_->async_shutdown(token);
  } else {
    plain_.socket().shutdown(Socket::shutdown_send, error);
  }
  std::array<char, 4096> rest;
  while (!error) co_await plain_.async_read_some(asio::buffer(rest), token);
}

}  // namespace onceproxy::admin
