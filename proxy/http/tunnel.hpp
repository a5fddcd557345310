// Tunnel: bytes both ways between two connections that switched protocols, until both directions
// ended, nothing moved for the idle timeout, or the worker ends its connections.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/gate/side_task.hpp"
#include "proxy/gate/task.hpp"
#include "proxy/http/stream.hpp"

namespace onceproxy::http {

class Tunnel {
 public:
  /// Both must outlive the tunnel; what their buffers hold already is sent on first.
  Tunnel(Stream& client, Stream& upstream, std::chrono::milliseconds idle)
      : client_(client), upstream_(upstream), idle_(idle) {}

  gate::Task<void> run();
  std::uint64_t bytes_to_client() const { return to_client_; }

 private:
  gate::Task<void> pump(Stream& from, Stream& to, std::uint64_t& moved);
  gate::Task<void> carry(Stream& from, Stream& to, std::uint64_t& moved);

  Stream& client_;
  Stream& upstream_;
  const std::chrono::milliseconds idle_;
  std::uint64_t to_client_ = 0;
  std::uint64_t to_upstream_ = 0;
  gate::SideTask upload_;
};

}  // namespace onceproxy::http
