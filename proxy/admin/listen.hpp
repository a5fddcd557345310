// Listening sockets: they are bound and listen, and a Unix socket exists only once at its path.
// Private to this folder.
#pragma once

#include <sys/types.h>

#include <string>

#include "proxy/admin/server.hpp"

namespace onceproxy::admin {

class ListeningSocket {
 public:
  /// Throws std::system_error with a message that contains the address.
  explicit ListeningSocket(const Endpoint& endpoint);
  /// Closes the socket if it was not released, and removes the file of a Unix socket if it is still
  /// ours.
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Releases the descriptor to the caller.
  int release();
  int family() const { return family_; }
  /// host:port with the bound port, or unix:/path.
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

/// The client's address: host:port, "unix" for a Unix socket, empty if it is unknown.
std::string peer_address(int descriptor);

}  // namespace onceproxy::admin
