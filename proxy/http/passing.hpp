// Passing: a request that no policy covers, streamed both ways with back-pressure: nothing is read
// from one side before the other has taken what came before. Upload and answer run side by side, so
// that an upstream which answers early is heard. Upgrades to WebSocket become a tunnel.
// Not thread-safe: its worker's loop.
#pragma once

#include <coroutine>
#include <optional>
#include <string_view>

#include "proxy/http/answer_relay.hpp"
#include "proxy/http/body_reader.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/http/upstream_call.hpp"

namespace onceproxy::http {

class Passing {
 public:
  /// `buffered_body`: the whole body, decoded, where it had to be read before it was clear that the
  /// request is forwarded without a reservation.
  explicit Passing(Exchange& exchange,
                   std::optional<std::string_view> buffered_body = std::nullopt);
  /// The request's head and the beginning of its chunked body have been read: `begun` is that
  /// beginning, decoded, and `rest` reads on.
  Passing(Exchange& exchange, std::string_view begun, BodyReader rest);
  Task<void> run();

 private:
  enum class Upload {
    pending,  ///< more is to come, and nobody reads it yet
    running,
    done,
    client_failed,
    client_slow,
    malformed,
    upstream_failed,
  };

  // The request.
  Stream::Parts first_parts();
  Task<void> upload();
  Task<IoResult> upload_piece(std::string_view data);
  Task<void> upload_ended();

  // The answer.
  Task<void> respond();
  bool repeatable() const;
  Task<void> switch_protocols();
  Task<void> fail(const UpstreamCall::Failure& failure);

  Exchange& exchange_;
  ClientConnection& client_;
  Worker& worker_;
  const bool websocket_;
  const std::optional<std::string_view> body_;
  const std::optional<std::string_view> begun_;
  UpstreamCall call_;
  AnswerRelay relay_;
  BodyReader request_body_;
  Upload upload_ = Upload::done;
  std::coroutine_handle<> upload_waiter_;
  /// The final answer's head was read: the upload no longer sets the upstream's deadline.
  bool answering_ = false;
};

}  // namespace onceproxy::http
