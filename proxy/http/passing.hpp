// Passing: a request that no policy covers, streamed both ways with back-pressure: nothing is read
// from one side before the other has taken what came before. Upload and answer run side by side, so
// that an upstream which answers early is heard. Upgrades to WebSocket become a tunnel.
// Not thread-safe: its worker's loop.
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
  /// `body`: how much of it has been read before it was clear that the request is forwarded without
  /// a reservation. `pipes`: for bodies that the kernel moves. All must outlive it.
  Passing(Exchange& exchange, Client& client, UpstreamPool& upstream, io::Pipes& pipes,
          BodySoFar body);
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
  /// All of it, decoded.
  std::optional<std::string_view> body_;
  /// Until it is sent.
  std::optional<std::string> begun_;
  UpstreamCall call_;
  AnswerRelay relay_;
  BodyReader request_body_;
  Upload upload_ = Upload::done;
  /// What is left of the request is sent beside the reading of the answer.
  io::SideTask sending_;
  /// Nobody needs the rest of the request any more.
  bool stop_sending_ = false;
};

}  // namespace onceproxy::http
