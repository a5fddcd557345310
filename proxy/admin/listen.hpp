// Listening sockets: bound, listening, and for unix sockets alone in their place. Private to this
// folder.
#pragma once

#include <sys/types.h>

#include <string>

#include "proxy/admin/server.hpp"

namespace onceproxy::admin {

class ListeningSocket {
 public:
  /// Throws std::system_error with a message that names the address.
  explicit ListeningSocket(const Endpoint& endpoint);
  /// Closes what was not released and removes the unix socket's file, if it is still ours.
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Hands on the descriptor.
  int release();
  int family() const { return family_; }
  /// host:port with the port really bound, or unix:/path.
  const std::string& address() const { return address_; }
  void remove_file();

 private:
  void listen_tcp(const Endpoint& endpoint);
  void listen_unix(const std::string& path);

  int descriptor_ = -1;
  int family_ = 0;
  std::string address_;
  std::string unix_path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// The peer: host:port, "unix" where the socket is one, empty where it is unknown.
std::string peer_address(int descriptor);

}  // namespace onceproxy::admin
