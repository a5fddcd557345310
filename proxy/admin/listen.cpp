#include "proxy/admin/listen.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace onceproxy::admin {
namespace {

[[noreturn]] void fail(int error, const std::string& address) {
  throw std::system_error(error, std::generic_category(), "cannot listen on " + address);
}

std::string without_brackets(const std::string& host) {
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

std::string with_port(const std::string& host, const std::string& port) {
  return host.find(':') == std::string::npos ? host + ':' + port : '[' + host + "]:" + port;
}

std::string numeric(const sockaddr_storage& address, socklen_t size, const std::string& otherwise) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(), host.size(),
                  port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return otherwise;
  return with_port(host.data(), port.data());
}

std::string bound_address(int descriptor, const std::string& configured) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return configured;
  return numeric(bound, size, configured);
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail(ENAMETOOLONG, "unix:" + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// Whether a socket's file was left behind by a process that is gone.
bool is_stale_socket(const sockaddr_un& address) {
  struct stat status {};
  if (lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = result != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

}  // namespace

std::string peer_address(int descriptor) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  return peer.ss_family == AF_UNIX ? "unix" : numeric(peer, size, {});
}

ListeningSocket::ListeningSocket(const Endpoint& endpoint) {
  try {
    endpoint.unix_path.empty() ? listen_tcp(endpoint) : listen_unix(endpoint.unix_path);
  } catch (...) {
    if (descriptor_ >= 0) close(descriptor_);
    throw;
  }
}

ListeningSocket::~ListeningSocket() {
  if (descriptor_ >= 0) close(descriptor_);
  remove_file();
}

int ListeningSocket::release() {
  return std::exchange(descriptor_, -1);
}

void ListeningSocket::listen_tcp(const Endpoint& endpoint) {
  const std::string host = without_brackets(endpoint.host);
  const std::string port = std::to_string(endpoint.port);
  address_ = with_port(host, port);
  if (host.empty()) fail(EINVAL, address_);
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found =
      resolver.resolve(host, port, tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    throw std::system_error(static_cast<std::error_code>(error), "cannot listen on " + address_);
  }
  const tcp::endpoint at = found.begin()->endpoint();
  family_ = at.protocol().family();
  descriptor_ = socket(family_, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  if (descriptor_ < 0 || setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(descriptor_, at.data(), static_cast<socklen_t>(at.size())) != 0 ||
      listen(descriptor_, SOMAXCONN) != 0)
    fail(errno, address_);
  address_ = bound_address(descriptor_, address_);
}

void ListeningSocket::listen_unix(const std::string& path) {
  address_ = "unix:" + path;
  family_ = AF_UNIX;
  const sockaddr_un address = unix_address(path);
  if (is_stale_socket(address)) unlink(address.sun_path);
  descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // Linux gives the file the mode that its socket has at bind: at no time may others connect, and
  // no process-wide umask is touched.
  if (descriptor_ < 0 || fchmod(descriptor_, 0600) != 0 ||
      bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(errno, address_);
  unix_path_ = path;
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
  if (listen(descriptor_, SOMAXCONN) != 0) {
    const int error = errno;
    remove_file();
    fail(error, address_);
  }
}

void ListeningSocket::remove_file() {
  if (unix_path_.empty()) return;
  // Another process may have taken the place in the meantime.
  struct stat status {};
  const bool ours = lstat(unix_path_.c_str(), &status) == 0 && status.st_dev == device_ &&
                    status.st_ino == inode_;
  if (ours) unlink(unix_path_.c_str());
  unix_path_.clear();
}

}  // namespace onceproxy::admin
