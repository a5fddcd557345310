// Transport: the bytes of a connection, plain or through TLS, as a stream for Asio and Beast.
// Private to this folder. Used only on the server's thread; destroyed when nothing waits for it.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proxy/tls/context.hpp"
#include "proxy/tls/failure.hpp"

namespace onceproxy::admin {

class Transport {
 public:
  using Protocol = boost::asio::generic::stream_protocol;
  using Socket = Protocol::socket;
  using Plain = boost::beast::basic_stream<Protocol>;
  using executor_type = Plain::executor_type;

  /// `context`: nullptr: plain.
  Transport(Socket socket, std::shared_ptr<const tls::ServerContext> context);

  executor_type get_executor() { return plain_.get_executor(); }
  Socket& socket() { return plain_.socket(); }
  void expires_after(std::chrono::seconds time) { plain_.expires_after(time); }
  void close() { plain_.close(); }

  bool encrypted() const { return tls_.has_value(); }
  /// Returns nothing if TLS is established. Limited by expires_after(), like everything here.
  boost::asio::awaitable<std::optional<tls::Failure>> handshake();
  bool resumed();
  /// The subject of the client's certificate; empty if there is none.
  std::string subject();
  /// Ends the output; what the client still sends is discarded.
  boost::asio::awaitable<void> finish();

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& to) {
          if (tls_) {
            tls_->async_read_some(to, std::move(handler));
          } else {
            plain_.async_read_some(to, std::move(handler));
          }
        },
        token, buffers);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          if (tls_) {
            tls_->async_write_some(from, std::move(handler));
          } else {
            plain_.async_write_some(from, std::move(handler));
          }
        },
        token, buffers);
  }

 private:
  Plain plain_;
  const std::shared_ptr<const tls::ServerContext> context_;
  std::optional<boost::asio::ssl::stream<Plain&>> tls_;
};

}  // namespace onceproxy::admin
