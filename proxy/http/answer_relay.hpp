// AnswerRelay: sends an upstream's final answer to the client. The head is rewritten, and the body
// is streamed, with other framing if the two sides differ. A truncated answer reaches the client as
// truncated. If no byte of it has been sent yet, the client gets 502 or 504 instead. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http/exchange.hpp"
#include "proxy/http/upstream_call.hpp"
#include "proxy/io/pipes.hpp"
#include "proxy/io/stream.hpp"

namespace onceproxy::http {

class AnswerRelay {
 public:
  /// `pipes`: for bodies that the kernel moves. All arguments must outlive it.
  AnswerRelay(Exchange& exchange, io::Stream& client, io::Pipes& pipes, UpstreamCall& call)
      : exchange_(exchange), client_(client), pipes_(pipes), call_(call) {}

  /// Sends the answer whose head `call` has read and whose body has begun, and finishes the
  /// exchange.
  Task<void> run(gate::Decision decision);
  /// The same if the beginning of the body was already taken; it is in `captured`.
  Task<void> run_captured(gate::Decision decision, std::string captured);
  /// The same if `body` is the whole body. The call may be finished already.
  Task<void> run_whole(gate::Decision decision, std::string_view body);

  /// Writes a 1xx answer to the client, which must use HTTP/1.1. Returns false if the client is
  /// gone.
  Task<bool> run_interim();
  /// Writes a 101.
  Task<bool> run_switch();
  std::uint64_t bytes() const { return bytes_; }

 private:
  BodyFraming choose_framing();
  void write_head(gate::Decision decision, BodyFraming framing, std::size_t body_bytes);
  Task<void> stream(gate::Decision decision, std::string captured);
  Task<bool> relay_body(bool encode);
  Task<bool> flush(std::string_view data, io::Piped* piped = nullptr);
  Task<void> refuse_answer();

  Exchange& exchange_;
  io::Stream& client_;
  io::Pipes& pipes_;
  UpstreamCall& call_;
  /// The output; separate from Client::out, which the request may still use.
  std::string pending_;
  std::uint64_t bytes_ = 0;
  /// A part of the final answer may have reached the client.
  bool begun_ = false;
  std::string_view error_ = "";
};

}  // namespace onceproxy::http
