// Tunnel: copies bytes in both directions between two connections that have switched protocols. It
// ends when both directions have ended, after the idle timeout, or when the worker closes its
// connections. Not thread-safe: used on its worker's loop.
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
      : client_(client), upstream_(upstream), idle_(idle) {}

  io::Task<void> run();
  std::uint64_t bytes_to_client() const { return to_client_; }

 private:
  io::Task<void> pump(io::Stream& from, io::Stream& to, std::uint64_t& moved);
  io::Task<void> carry(io::Stream& from, io::Stream& to, std::uint64_t& moved);

  io::Stream& client_;
  io::Stream& upstream_;
  const std::chrono::milliseconds idle_;
  std::uint64_t to_client_ = 0;
  std::uint64_t to_upstream_ = 0;
  io::SideTask upload_;
};

}  // namespace onceproxy::http
