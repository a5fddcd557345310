// Passing: a request that is forwarded without a reservation and streamed in both directions with
// back-pressure: one side is read only when the other has accepted the previous data. Upload and
// answer run at the same time, so that an early answer is noticed. An upgrade to WebSocket becomes
// a tunnel. Not thread-safe: used on its worker's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/answer_relay.hpp"
#include "proxy/http/body_reader.hpp"
#include "proxy/http/body_so_far.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/io/pipes.hpp"
#include "proxy/io/side_task.hpp"

namespace onceproxy::http {

class Passing {
 public:
  /// `body`: how much of the body had been read when it became clear that the request is forwarded
  /// without a reservation. `pipes`: for bodies that the kernel moves. All arguments must outlive
  /// it.
  Passing(Exchange& exchange, Client& client, UpstreamPool& upstream, io::Pipes& pipes,
          BodySoFar body);
  Task<void> run();

 private:
  enum class Upload {
    pending,  ///< more is to come, and it is not read yet
    running,
    done,
    client_failed,
    client_slow,
    malformed,
    upstream_failed,
  };

  // The request.
  io::Stream::Parts first_parts();
  Task<void> exchange(const io::Stream::Parts& parts);
  void go_on(bool whole);
  Task<void> upload(bool whole);
  Task<Upload> upload_rest(bool whole);
  Task<io::IoResult> upload_piece(std::string_view data);
  Task<io::IoError> fill_body(io::Piped& piped);
  Task<void> end_upload();
  void use_up_body();
  void drop_begun();

  // The answer.
  Task<void> respond();
  bool repeatable() const;
  Task<void> switch_protocols();
  Task<void> fail(const UpstreamCall::Failure& failure);

  Exchange& exchange_;
  Request& request_;
  Client& client_;
  io::Pipes& pipes_;
  const bool websocket_;
  /// The whole body, decoded.
  std::optional<std::string_view> body_;
  /// Valid until it is sent.
  std::optional<std::string> begun_;
  UpstreamCall call_;
  AnswerRelay relay_;
  BodyReader request_body_;
  Upload upload_ = Upload::done;
  /// Sends the rest of the request while the answer is read.
  io::SideTask sending_;
  /// The rest of the request is no longer needed.
  bool stop_sending_ = false;
};

}  // namespace onceproxy::http
