// Tunnel: copies bytes in both directions between two connections that have switched protocols. It
// ends when both directions have ended, after the idle timeout, or when the worker closes its
// connections. If one peer breaks off (a reset, or an end of TLS without close_notify), the other
// one gets a reset, so that it does not take the bytes until then for all of them. Not thread-safe:
// used on its worker's loop.
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/io/side_task.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::http {

class Tunnel {
 public:
  /// Both must outlive the tunnel; bytes that are already in their buffers are sent first.
  Tunnel(io::Stream& client, io::Stream& upstream, std::chrono::milliseconds idle)
      : client_{client}, upstream_{upstream}, idle_(idle) {}

  io::Task<void> run();
  std::uint64_t bytes_to_client() const { return client_.received; }

 private:
  /// One peer's end of the tunnel.
  struct Side {
    io::Stream& stream;
    /// Bytes that were sent to it.
    std::uint64_t received = 0;
    /// It has ended in order.
    bool ended = false;
  };

  io::Task<void> pump(Side& from, Side& to);
  io::Task<void> carry(Side& from, Side& to);
  void break_off(Side& broken, Side& other);

  Side client_;
  Side upstream_;
  const std::chrono::milliseconds idle_;
  /// Waits are being cancelled, so their failures say nothing about the peers.
  bool over_ = false;
  io::SideTask upload_;
};

}  // namespace onceproxy::http
