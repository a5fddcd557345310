// AnswerRelay: carries an upstream's final answer to the client: head rewritten, body as it
// streams, framed anew where the two sides differ. An answer that breaks off reaches the client as
// broken off, never as complete; where nothing of it went to the client yet, the client gets 502 or
// 504 instead. Not thread-safe: its worker's loop.
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
  /// `pipes`: for bodies that the kernel moves. All must outlive it.
  AnswerRelay(Exchange& exchange, io::Stream& client, io::Pipes& pipes, UpstreamCall& call)
      : exchange_(exchange), client_(client), pipes_(pipes), call_(call) {}

  /// Relays the answer whose head `call` has read and whose body it has begun, and finishes the
  /// exchange.
  Task<void> run(gate::Decision decision);
  /// The same where the beginning of the body, already taken, is `captured`.
  Task<void> run_captured(gate::Decision decision, std::string captured);
  /// The same where `body` is all of it. The call may be finished already.
  Task<void> run_whole(gate::Decision decision, std::string_view body);

  /// Writes a 1xx to the client, which must speak HTTP/1.1. False: the client is gone.
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
  /// What is to be written; apart from Client::out, which the request may still use.
  std::string pending_;
  std::uint64_t bytes_ = 0;
  /// Something of the final answer may have reached the client.
  bool begun_ = false;
  std::string_view error_ = "";
};

}  // namespace onceproxy::http
