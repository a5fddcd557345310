// ClientConnection: one client, request after request. It reads and validates heads, refuses what
// is malformed, hands each request to an Exchange, and decides whether the connection goes on.
//
// A request's bytes are read only when the one before it was answered: a pipelining client waits
// its turn and costs one buffer.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/grammar/head.hpp"
#include "proxy/http/options.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"
#include "proxy/tls/peer.hpp"

namespace onceproxy::http {

using io::Slots;
using io::Task;

class Worker;

class ClientConnection final : public io::Stream {
 public:
  /// `client`: the peer's address, without its port. `slot`: of the limit of clients. `tls`: what a
  /// handshake is made with before the first request; nullptr: none is.
  ClientConnection(Worker& worker, io::Socket socket, std::string client, Slots::Taken slot,
                   std::shared_ptr<const tls::ServerContext> tls);
  ~ClientConnection() override;

  /// Serves until the connection ends; then the worker forgets it.
  Task<void> serve();

  /// Ends a handshake that takes long, in favour of one that has just begun.
  void give_way();
  /// Ends now if nothing is under way; else after the answer under way.
  void drain();

  Worker& worker;
  const std::string client;
  /// The identity in the client's certificate; nullptr: it presented none.
  std::unique_ptr<const tls::Peer> peer;
  /// The same as policies see it; with `peer` alone.
  policies::ClientCertificate certificate;
  RequestHead head;
  /// Scratch for what is written; valid until the write ended.
  std::string out;
  /// Scratch for a path that is not in normal form.
  std::string path_scratch;
  /// Place in the worker's list of connections.
  std::size_t index = 0;

 private:
  void awaited_twice(std::string_view operation) override;
  enum class Next { request, end };
  /// As they are now; to be read again after a co_await.
  const ClientLimits& limits() const;
  Task<Next> read_head();
  Task<bool> shake_hands();
  std::optional<BadHead> parse();
  Task<void> linger();
  /// True: there were some.
  bool skip_empty_lines();

  const Slots::Taken slot_;
  std::shared_ptr<const tls::ServerContext> tls_context_;
  bool gave_way_ = false;
  std::chrono::steady_clock::time_point began_{};
  /// Where the head in the buffer ends; meaningless with `bad_head_`.
  std::size_t head_end_ = 0;
  /// A head that did not come whole.
  std::optional<BadHead> bad_head_;
  /// Waiting for the first byte of a request: may be closed without losing anything.
  bool idle_ = false;
  bool served_any_ = false;
};

}  // namespace onceproxy::http
